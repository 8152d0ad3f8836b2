// Which agents could take a Task now, in the order in which they would be asked, and why the others could
// not: by the operator's own filter and scores. Only the rules of the operator's configuration are not known
// here.
//
// Pure, safe from every thread. Errors: none; what is wrong with the Task's spec is in `problems`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/kube/json.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"

namespace convoke::plugin {

struct Candidate {
  std::string agent;
  std::string score;
  Duration duration{};       // that it is expected to take
  bool is_measured = false;  // by what it did before; else assumed
  double cost = 0;
};

struct Objection {
  std::string agent;
  std::string reason;
  bool is_busy = false;  // it could, when it has room
};

struct Qualification {
  std::vector<Candidate> candidates;  // the first one would get it
  std::vector<Objection> objections;  // by name
  std::vector<std::string> problems;
  bool any_agents = false;
};

Qualification qualify(const api::Task& task, const std::vector<api::Agent>& agents);

}  // namespace convoke::plugin
