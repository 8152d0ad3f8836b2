// What must hold of WorkflowRuns: a model of their own of what a definition and its children's ends call for.
// It reads objects as JSON and shares no code with the run engine.
//
//   - no step, item, iteration or compensation is ever made twice, even when somebody deleted the first,
//   unless that came and
//     went while nobody led: before its run's status was written, nothing remembers it;
//   - compensations come one after the other, the later the step ended the sooner it is undone;
//   - a run ends in the phase that its definition and its children call for, and no step is forgotten.
//
// Thread safety: as Observer. Errors: each finding is handed to `violated`.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/kube/json.h"

namespace convoke::simulation {

class RunRules {
 public:
  using Violated = std::function<void(const Json& object, const std::string& rule)>;
  explicit RunRules(Violated violated) : violated_(std::move(violated)) {}

  // A Task or a run, as the API server takes or loses it.
  void see_created(const Json& object);
  void see_changed(const Json& object);
  void see_deleted(const Json& object);

  // A run that has ended, with the steps of its definition (those of `finally` among them, marked so).
  void judge_end(const Json& run, const Json& spec);

 private:
  struct Child {
    std::string step;
    int item = -1;
    int iteration = 0;
    int round = 0;
    bool undo = false;
    std::string identity = {};  // what no other child may be
    std::string name = {};
    std::string phase = {};
    std::string completed_at = {};
    bool recorded = false;  // its run's status was written since
    bool deleted = false;
  };
  struct Family {
    std::map<std::string, Child> children;                // by uid
    Json status;                                          // of the run, as written last
    std::vector<std::pair<std::string, int>> undo_order;  // step and round, as compensations were created
    bool maimed = false;  // a child was deleted, or somebody began a further round: only the rules above hold
  };
  // What the model says of a step: succeeded, failed, skipped (by its condition or a skipped dependency),
  // hindered by another one that did not succeed, or without a child although nothing of its own hinders it.
  enum class Verdict { Succeeded, Failed, Skipped, Hindered, NotMade };

  static bool has(const Family& family, const std::string& name);
  void judge_undo(const Json& task, const Child& undo, Family& family);
  void judge_machine(const Json& run, const Json& spec, const Family& family);
  Verdict verdict_of(const Json& run, const Json& step, const Family& family,
                     const std::map<std::string, Verdict>& others) const;
  static std::string phase_of(const std::vector<const Child*>& children);
  static Verdict verdict_of_approval(const Json& run);
  static std::vector<const Child*> children_of(const Family& family, const std::string& step, bool undo);

  Violated violated_;
  std::map<std::string, Family> families_;                // by the run's uid
  std::set<std::string> made_;                            // what no child may be a second time
  std::set<std::pair<std::string, std::string>> failed_;  // run and step, optional ones too
};

}  // namespace convoke::simulation
