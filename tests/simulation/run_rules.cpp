#include "tests/simulation/run_rules.h"

#include <algorithm>

#include "tests/simulation/object_text.h"

namespace convoke::simulation {
namespace {

std::string label(const Json& object, const std::string& name) {
  return object.value(Json::json_pointer("/metadata/labels/convoke.dev~1" + name), "");
}

int number_or(const std::string& digits, int otherwise) {
  return digits.empty() ? otherwise : std::stoi(digits);
}

bool lets_on(const Json& step, bool succeeded) {
  return succeeded || step.value("optional", false);
}

}  // namespace

void RunRules::see_created(const Json& object) {
  const auto run = label(object, "run-uid");
  if (run.empty()) {
    return;
  }
  Child child{label(object, "step"), number_or(label(object, "item"), -1),
              number_or(label(object, "iteration"), 0), number_or(label(object, "round"), 0),
              label(object, "undo") == "true"};

  const auto identity = run + "/" + child.step + "/" + std::to_string(child.item) + "/" +
                        std::to_string(child.iteration) + "/" + std::to_string(child.round) +
                        (child.undo ? "/undo" : "");
  auto& family = families_[run];
  const auto name = text_at(object, "/metadata/name");
  if (has(family, name)) {
    return;  // the answer to the first one was lost, and the API server refuses the second: a name is given
             // once
  }
  if (!made_.insert(identity).second) {
    violated_(object, "is the second one of its step: " + identity);
  }
  child.identity = identity;
  child.name = name;
  if (child.undo) {
    judge_undo(object, child, family);
  }
  family.maimed = family.maimed || child.round > 0;
  family.children[text_at(object, "/metadata/uid")] = std::move(child);
}

bool RunRules::has(const Family& family, const std::string& name) {
  return std::any_of(family.children.begin(), family.children.end(),
                     [&](const auto& child) { return child.second.name == name && !child.second.deleted; });
}

void RunRules::judge_undo(const Json& task, const Child& undo, Family& family) {
  for (const auto& [uid, child] : family.children) {
    if (!child.undo && !child.deleted && !has_ended(child.phase)) {
      violated_(task, "undoes a step while step " + child.step + " still runs");
    }
    if (child.undo && !child.deleted && !has_ended(child.phase)) {
      violated_(task, "undoes a step while step " + child.step + " is still being undone");
    }
  }
  const auto ended = [&](const std::string& name) {
    std::string last;
    for (const auto* child : children_of(family, name, false)) {
      last = std::max(last, child->round == undo.round ? child->completed_at : "");
    }
    return last;
  };
  for (const auto& [earlier, round] : family.undo_order) {
    if (earlier != undo.step && round == undo.round && ended(earlier) < ended(undo.step)) {
      violated_(task, "is undone after step " + earlier + ", which had ended before it");
    }
  }
  family.undo_order.emplace_back(undo.step, undo.round);
}

void RunRules::see_changed(const Json& object) {
  const auto own = families_.find(text_at(object, "/metadata/uid"));
  if (own != families_.end() && object.value("status", Json()) != own->second.status) {
    own->second.status = object.value("status", Json());
    for (auto& [uid, child] : own->second.children) child.recorded = true;
  }
  const auto family = families_.find(label(object, "run-uid"));
  if (family == families_.end()) {
    return;
  }
  const auto child = family->second.children.find(text_at(object, "/metadata/uid"));
  if (child != family->second.children.end()) {
    const auto phase = text_at(object, "/status/phase");
    // Somebody let a run below go on when its step had failed already.
    family->second.maimed = family->second.maimed || (has_ended(child->second.phase) && !has_ended(phase));
    child->second.phase = phase;
    child->second.completed_at = text_at(object, "/status/completedAt");
  }
}

void RunRules::see_deleted(const Json& object) {
  const auto family = families_.find(label(object, "run-uid"));
  if (family == families_.end()) {
    return;
  }
  const auto child = family->second.children.find(text_at(object, "/metadata/uid"));
  if (child != family->second.children.end()) {
    child->second.deleted = true;
    if (!child->second.recorded) made_.erase(child->second.identity);
    family->second.maimed = true;
  }
}

std::vector<const RunRules::Child*> RunRules::children_of(const Family& family, const std::string& step,
                                                          bool undo) {
  std::vector<const Child*> found;
  for (const auto& [uid, child] : family.children) {
    if (child.step == step && child.undo == undo) {
      found.push_back(&child);
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Child* a, const Child* b) { return a->iteration < b->iteration; });
  return found;
}

// As one: of a fan-out, how all its items ended.
std::string RunRules::phase_of(const std::vector<const Child*>& children) {
  const auto all = [&](const char* phase) {
    return std::all_of(children.begin(), children.end(), [&](const Child* c) { return c->phase == phase; });
  };
  const bool any_failed =
      std::any_of(children.begin(), children.end(), [](const Child* c) { return c->phase == "Failed"; });
  return all("Succeeded") ? "Succeeded" : any_failed ? "Failed" : "Cancelled";
}

// One person who rejects is enough; at the end everybody else has approved.
RunRules::Verdict RunRules::verdict_of_approval(const Json& run) {
  for (const auto& approval : run["spec"].value("approvals", Json::array())) {
    if (approval["decision"] == "Reject") return Verdict::Failed;
  }
  return Verdict::Succeeded;
}

RunRules::Verdict RunRules::verdict_of(const Json& run, const Json& step, const Family& family,
                                       const std::map<std::string, Verdict>& others) const {
  for (const std::string name : step.value("dependsOn", Json::array())) {
    const auto plain = name.substr(0, name.find('.'));
    const auto wanted = name.size() > plain.size() ? name.substr(plain.size() + 1) : "";
    const auto verdict = others.at(plain);
    if (wanted == "Failed") {
      if (!failed_.contains({text_at(run, "/metadata/uid"), plain})) return Verdict::Skipped;
    } else if (verdict == Verdict::Hindered || verdict == Verdict::NotMade || verdict == Verdict::Failed) {
      return Verdict::Hindered;
    }
  }
  if (step.value("when", "true") == "false") return Verdict::Skipped;
  if (step.contains("wait")) return Verdict::Succeeded;
  if (step.contains("approval")) return verdict_of_approval(run);
  const auto children = children_of(family, step["name"], false);
  if (children.empty()) return Verdict::NotMade;
  // What is repeated is repeated once, each item on its own.
  const auto seconds =
      std::count_if(children.begin(), children.end(), [](const Child* c) { return c->iteration == 2; });
  const bool repeated =
      !step.contains("repeat") || seconds == static_cast<std::ptrdiff_t>(children.size()) - seconds;
  return repeated && phase_of(children) == "Succeeded" ? Verdict::Succeeded : Verdict::Failed;
}

// Follows the transitions, which ask for the phase of their own state only.
void RunRules::judge_machine(const Json& run, const Json& spec, const Family& family) {
  std::map<std::string, int> visits;
  std::string state = spec["steps"][0]["name"];
  for (int transitions = 0;; ++transitions) {
    const int visit = ++visits[state];
    auto children = children_of(family, state, false);
    children.erase(std::remove_if(children.begin(), children.end(),
                                  [&](const Child* c) { return c->iteration != visit; }),
                   children.end());
    if (children.empty())
      return violated_(run, "ended without visit " + std::to_string(visit) + " of " + state);
    const auto& step = *std::find_if(spec["steps"].begin(), spec["steps"].end(),
                                     [&](const Json& other) { return other["name"] == state; });
    const auto phase = phase_of(children);
    std::string next;
    for (const auto& transition : step.value("transitions", Json::array())) {
      const bool holds = transition["when"] == "steps['" + state + "'].phase == '" + phase + "'";
      if (next.empty() && holds) next = transition["to"];
    }
    const bool good = phase == "Succeeded" && (next.empty() || transitions < spec["maxTransitions"]);
    if (next.empty() || transitions >= spec["maxTransitions"]) {
      const std::string expected = good ? "Succeeded" : "Failed";
      if (text_at(run, "/status/phase") != expected)
        violated_(run, "ended as " + text_at(run, "/status/phase") + ", and should be " + expected);
      return;
    }
    state = next;
  }
}

void RunRules::judge_end(const Json& run, const Json& spec) {
  const auto phase = text_at(run, "/status/phase");
  const auto reason = text_at(run, "/status/reason");
  const auto& family = families_[text_at(run, "/metadata/uid")];
  if (family.maimed || run["spec"].contains("cancel") || reason == "Timeout") {
    return;  // what must come of that is judged by what was made, above
  }
  if (spec.value("mode", "Graph") == "StateMachine") {
    return judge_machine(run, spec, family);
  }
  std::map<std::string, Verdict> verdicts;
  bool failed = false;
  std::size_t to_undo = 0;
  std::size_t undone = 0;
  std::size_t standing = 0;
  const auto judge_step = [&](const Json& step) {
    const auto verdict = verdict_of(run, step, family, verdicts);
    // What was cancelled has not Failed, to those that wait for a failure.
    const bool was_cancelled = phase_of(children_of(family, step["name"], false)) == "Cancelled";
    if (verdict == Verdict::Failed && !was_cancelled) {
      failed_.insert({text_at(run, "/metadata/uid"), step["name"]});
    }
    failed = failed || (verdict == Verdict::Failed && !lets_on(step, false));
    verdicts[step["name"]] =
        verdict == Verdict::Failed && lets_on(step, false) ? Verdict::Succeeded : verdict;
    if (!step.contains("compensate")) return;
    for (const auto* child : children_of(family, step["name"], false)) {
      const bool is_last = !step.contains("repeat") || child->iteration == 2;
      to_undo += child->phase == "Succeeded" && is_last ? 1 : 0;
    }
    for (const auto* child : children_of(family, step["name"], true)) {
      ++(child->phase == "Succeeded" ? undone : standing);
    }
  };
  for (const auto& step : spec["steps"]) judge_step(step);
  const bool steps_failed = failed;
  const bool all_have_their_turn = !failed || spec.value("onFailure", "Abort") == "Continue";
  for (const auto& step : spec["steps"]) {
    if (all_have_their_turn && verdicts[step["name"]] == Verdict::NotMade) {
      violated_(run, "ended without its step " + step["name"].get<std::string>());
    }
  }
  for (const auto& step : spec.value("finally", Json::array())) {
    judge_step(step);
    if (verdicts[step["name"]] == Verdict::NotMade) {
      violated_(run, "ended without its finally step " + step["name"].get<std::string>());
    }
  }
  const bool undoes = steps_failed && spec.value("onFailure", "Abort") == "Compensate";
  if ((undoes ? to_undo : 0) != undone + standing) {
    violated_(run, std::to_string(undone + standing) + " compensations were made, not " +
                       std::to_string(undoes ? to_undo : 0));
  }
  const std::string expected = !failed                                 ? "Succeeded"
                               : undoes && undone > 0 && standing == 0 ? "Compensated"
                                                                       : "Failed";
  if (phase != expected) {
    violated_(run, "ended as " + phase + " (" + reason + "), and should be " + expected);
  }
}

}  // namespace convoke::simulation
