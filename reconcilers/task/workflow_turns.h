// Whose turn it is among the workflows of one namespace that have Tasks waiting: start-time fair queueing
// (controller/runtime/fair_share.h) within each priority. So ten thousand Tasks of one workflow do not hold
// up the ten of another, whatever agents they need.
//
// Between namespaces there is no such order to keep here: an agent serves the Tasks of its own namespace
// only, and all that can be matched is matched at once. What namespaces share is the operator, and there the
// work queue lets them take turns, by their weights (controller/runtime/work_queue.h).
//
// Used under the scheduler's lock. Classes are referred to, not owned. Errors: none.
#pragma once

#include <map>
#include <set>
#include <string>

#include "controller/runtime/fair_share.h"
#include "reconcilers/task/class_queue.h"

namespace convoke::task {

struct DemandClass;

class WorkflowTurns {
 public:
  // A Task waits in a class, or does so no longer (and whether the class still has others of the flow).
  double join(const FlowKey& flow, DemandClass& demand_class);
  void leave(const FlowKey& flow, DemandClass& demand_class, bool last_of_class);
  // A Task of the flow is served. The classes whose queues have to hear of the new turn; none if nothing
  // changed.
  std::set<DemandClass*> serve(const FlowKey& flow);
  double turn_of(const FlowKey& flow) const;

 private:
  std::map<int, runtime::FairShare> priorities_;
  std::map<FlowKey, std::set<DemandClass*>> classes_;
};

}  // namespace convoke::task
