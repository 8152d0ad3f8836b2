// The triggers of the type Event of all Workflows, by the type of the event: kept in step with the cache.
//
// A Workflow whose definition cannot work, that is suspended or being deleted has none here, whatever its
// status says yet; so every operator finds the same ones, whether it leads or not.
//
// Thread safety: all methods from every thread, watch() once. Ownership: what it finds owns all that it
// needs.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "controller/base/mutex.h"
#include "reconcilers/api/caches.h"
#include "reconcilers/expression/cel/cel.h"
#include "reconcilers/workflow/cloud_event.h"

namespace convoke::workflow {

struct EventTrigger {
  std::shared_ptr<const api::Workflow> workflow;  // as it was when the trigger was read
  api::Trigger trigger;
  cel::ProgramPtr filter;  // null: every event fits
};

using EventTriggerPtr = std::shared_ptr<const EventTrigger>;

class EventTriggers {
 public:
  // Before the cache holds anything; the cache outlives its handlers.
  void watch(runtime::Store<api::Workflow>& workflows);

  // Those of that type of event, in that namespace or (empty) in all.
  std::vector<EventTriggerPtr> find(const std::string& event_type, const std::string& namespace_) const;

 private:
  // Reads the store anew, as changes may come out of order.
  void changed(const runtime::Store<api::Workflow>& workflows, const kube::ObjectKey& key);
  bool is_known(const kube::ObjectKey& key, const api::Workflow& workflow) const REQUIRES(mutex_);
  void replace(const kube::ObjectKey& key, std::vector<EventTriggerPtr> triggers) REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::unordered_multimap<std::string, EventTriggerPtr> by_type_ GUARDED_BY(mutex_);
  std::map<kube::ObjectKey, std::vector<EventTriggerPtr>> by_workflow_ GUARDED_BY(mutex_);
};

// Whether the event has the trigger's source and fulfils its filter. Error: the filter cannot be evaluated.
Result<bool> fits(const EventTrigger& trigger, const CloudEvent& event);

// What filters and parameters see: {"event": ..., "workflow": ...}.
Json event_roots(const api::Workflow& workflow, const CloudEvent& event);

}  // namespace convoke::workflow
