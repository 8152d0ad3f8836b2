// The runs and Tasks that a view is drawn of, as they were last seen: what `tree` lists once and `watch`
// keeps up to date.
//
// A value, used by one thread. Errors of load_run() are those of Cluster.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "controller/kube/json.h"
#include "programs/kubectl-convoke/cluster.h"

namespace convoke::plugin {

struct World {
  std::map<std::string, Json> runs;   // by name
  std::map<std::string, Json> tasks;  // by name

  const Json* run(const std::string& name) const;
  const Json* task(const std::string& name) const;
  // What the object with that uid owns of them, by creation, then name.
  std::vector<const Json*> tasks_of(const std::string& uid) const;
  std::vector<const Json*> runs_of(const std::string& uid) const;
  // The Task of a row of a run's status, which is no fan-out: the one that it names, or, since a status of
  // many rows drops the names of those that ended, the one `of_run` whose labels say so. Null:
  // there is none.
  const Json* task_of_row(const Json& row, const std::vector<const Json*>& of_run) const;
};

// Phases that never change.
bool has_ended(const Json& object);
// The phase, "Pending" while there is none.
std::string phase_of(const Json& object);
// Why, in words: "Reason: message"; empty if there is nothing to say.
std::string explanation_of(const Json& object);

// Puts the run, its Tasks, their subtasks and its sub-runs into the world.
Status load_run(const Cluster& cluster, const Json& run, World& world);
// Puts the Task and its subtasks into the world.
Status load_task(const Cluster& cluster, const Json& task, World& world);

}  // namespace convoke::plugin
