// Steps of runs that wait for an event (`wait.event`), and what one of them is given.
//
// A step is known to wait from its row in the run's status. Its event is kept as an annotation of the run,
// where the run reconciler finds it (wait_step.h).
//
// Thread safety: find() from every thread; watch() once. Ownership: what the constructor takes outlives this.
#pragma once

#include <string>
#include <vector>

#include "controller/kube/client.h"
#include "controller/runtime/event_recorder.h"
#include "reconcilers/api/caches.h"
#include "reconcilers/workflow/cloud_event.h"
#include "reconcilers/workflow/definition_source.h"
#include "reconcilers/workflow/run_children.h"

namespace convoke::workflow {

struct EventWait {
  RunPtr run;
  std::string step;
  std::string annotation;  // where its event is kept
  bool has_it = false;     // this event was given to the step before
};

class EventWaits {
 public:
  EventWaits(kube::Client& client, api::Caches& caches, runtime::EventRecorder& events, Clock& clock)
      : caches_(caches), definitions_(caches), children_(client, caches, events, clock, nullptr) {}

  // Before the caches hold anything.
  void watch();

  // The steps that wait for this event, in the runs of that namespace or (empty) of all. A step that has got
  // another event that it waits for is not among them. Error: what the filter needs cannot be read now.
  Result<std::vector<EventWait>> find(const CloudEvent& event, const std::string& namespace_);

 private:
  Status add_waits(const RunPtr& run, const CloudEvent& event, std::vector<EventWait>& found);

  api::Caches& caches_;
  DefinitionSource definitions_;
  RunChildren children_;
};

// The merge patch that gives it.
Json event_patch(const EventWait& wait, const CloudEvent& event);

}  // namespace convoke::workflow
