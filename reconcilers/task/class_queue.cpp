#include "reconcilers/task/class_queue.h"

namespace convoke::task {

FlowKey flow_of(const TaskEntry& entry) {
  return {entry.urgency.priority, entry.urgency.workflow};
}

bool ClassQueue::ByTurn::operator()(const Flow* a, const Flow* b) const {
  if (a->priority != b->priority) {
    return a->priority > b->priority;
  }
  return a->turn != b->turn ? a->turn < b->turn : MostUrgentFirst()(*a->tasks.begin(), *b->tasks.begin());
}

void ClassQueue::insert(TaskEntry* entry, double turn) {
  Flow& flow = flows_[flow_of(*entry)];
  if (!flow.tasks.empty()) {
    order_.erase(&flow);
  }
  flow.priority = entry->urgency.priority;
  flow.turn = turn;
  flow.tasks.insert(entry);
  order_.insert(&flow);
}

void ClassQueue::erase(TaskEntry* entry) {
  const auto found = flows_.find(flow_of(*entry));
  order_.erase(&found->second);
  found->second.tasks.erase(entry);
  if (found->second.tasks.empty()) {
    flows_.erase(found);
  } else {
    order_.insert(&found->second);
  }
}

void ClassQueue::turn_moved(const FlowKey& key, double turn) {
  Flow& flow = flows_.at(key);
  order_.erase(&flow);
  flow.turn = turn;
  order_.insert(&flow);
}

std::vector<const TaskEntry*> ClassQueue::some(std::size_t at_most) const {
  std::vector<const TaskEntry*> found;
  for (const Flow* flow : order_) {
    for (auto entry = flow->tasks.begin(); entry != flow->tasks.end() && found.size() < at_most; ++entry) {
      found.push_back(*entry);
    }
  }
  return found;
}

bool ClassQueue::before(const ClassQueue& other) const {
  return ByTurn()(*order_.begin(), *other.order_.begin());
}

}  // namespace convoke::task
