#include "reconcilers/task/workflow_turns.h"

namespace convoke::task {

double WorkflowTurns::join(const FlowKey& flow, DemandClass& demand_class) {
  runtime::FairShare& share = priorities_[flow.first];
  share.join(flow.second);
  classes_[flow].insert(&demand_class);
  return share.start_of(flow.second);
}

void WorkflowTurns::leave(const FlowKey& flow, DemandClass& demand_class, bool last_of_class) {
  const auto share = priorities_.find(flow.first);
  share->second.leave(flow.second);
  if (share->second.size() == 0) {
    priorities_.erase(share);
  }
  if (last_of_class) {
    const auto classes = classes_.find(flow);
    classes->second.erase(&demand_class);
    if (classes->second.empty()) {
      classes_.erase(classes);
    }
  }
}

std::set<DemandClass*> WorkflowTurns::serve(const FlowKey& flow) {
  constexpr double kEqual = 1;
  const auto share = priorities_.find(flow.first);
  if (share == priorities_.end() || !share->second.serve(flow.second, kEqual)) {
    return {};
  }
  return classes_.at(flow);
}

double WorkflowTurns::turn_of(const FlowKey& flow) const {
  return priorities_.at(flow.first).start_of(flow.second);
}

}  // namespace convoke::task
