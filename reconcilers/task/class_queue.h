// The waiting Tasks of one class, in order: priority first, then the workflows in turns, then age. Tasks of
// no workflow are one flow.
//
// Whose turn it is, is decided for all classes of a namespace together (workflow_turns.h), and this is told
// when a flow's turn moved.
//
// Used under the scheduler's lock. Tasks are referred to, not owned. All O(log Tasks).
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "reconcilers/task/task_entry.h"

namespace convoke::task {

using FlowKey = std::pair<int, std::string>;  // priority and workflow
FlowKey flow_of(const TaskEntry& entry);

class ClassQueue {
 public:
  // `turn`: that of the entry's flow.
  void insert(TaskEntry* entry, double turn);
  void erase(TaskEntry* entry);
  void turn_moved(const FlowKey& flow, double turn);

  bool empty() const { return order_.empty(); }
  bool holds(const FlowKey& flow) const { return flows_.contains(flow); }
  // The next; there is one.
  TaskEntry* head() const { return *(*order_.begin())->tasks.begin(); }
  // The first ones of each flow, not in order between flows.
  std::vector<const TaskEntry*> some(std::size_t at_most) const;
  // Whether its head comes before the other's. Both have one.
  bool before(const ClassQueue& other) const;

 private:
  struct Flow {
    int priority = 0;
    double turn = 0;
    std::set<TaskEntry*, MostUrgentFirst> tasks;
  };
  struct ByTurn {
    bool operator()(const Flow* a, const Flow* b) const;
  };

  std::map<FlowKey, Flow> flows_;
  // A flow leaves it before its turn or its first Task changes.
  std::set<Flow*, ByTurn> order_;
};

}  // namespace convoke::task
