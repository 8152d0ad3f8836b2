#include "tests/simulation/lock_rules.h"

#include <algorithm>

namespace convoke::simulation {
namespace {

bool is_live(const Json& task) {
  const auto phase = task.value("/status/phase"_json_pointer, "");
  return phase == "Assigned" || phase == "Running";
}

std::string assignment_of(const Json* task) {
  const bool live = task != nullptr && is_live(*task);
  return live ? task->value("/status/assignment/id"_json_pointer, "") : "";
}

Json locks_of(const Json& task) {
  return task.value("/spec/locks"_json_pointer, Json::array());
}

std::int64_t token_of(const Json& task, const std::string& lock) {
  const Json fencing = task.value("/status/assignment/fencing"_json_pointer, Json::object());
  return fencing.value(lock, std::int64_t{0});
}

bool is_exclusive(const Json& wanted) {
  return wanted.value("mode", "Exclusive") == "Exclusive";
}

}  // namespace

std::vector<std::string> LockRules::see(const Json* before, const Json* after) {
  std::vector<std::string> violations;
  const std::string was = assignment_of(before);
  const std::string is = assignment_of(after);
  if (was == is) return violations;
  if (!was.empty()) {
    for (const Json& wanted : locks_of(*before)) {
      locks_[wanted["name"]].holders.erase((*before)["metadata"]["uid"]);
    }
  }
  if (!is.empty()) take(*after, violations);
  return violations;
}

void LockRules::see_lease(const Json& before, const Json& after) {
  constexpr char kPrefix[] = "convoke-lock-";
  const std::string name = after["metadata"]["name"];
  const auto wish = "/metadata/annotations/convoke.dev~1break-lock"_json_pointer;
  if (name.rfind(kPrefix, 0) != 0 || !before.contains(wish) || after.contains(wish)) return;
  Lock& lock = locks_[name.substr(sizeof(kPrefix) - 1)];
  lock.broken_token = after.value("/spec/leaseTransitions"_json_pointer, std::int64_t{0});
  lock.holders.clear();
}

void LockRules::take(const Json& task, std::vector<std::string>& violations) {
  for (const Json& wanted : locks_of(task)) {
    const std::string name = wanted["name"];
    Lock& lock = locks_[name];
    if (token_of(task, name) > lock.broken_token) {
      lock.holders[task["metadata"]["uid"]] = {is_exclusive(wanted), wanted.value("permits", 0)};
    }
    const bool any_exclusive = std::any_of(lock.holders.begin(), lock.holders.end(),
                                           [](const auto& holder) { return holder.second.exclusive; });
    if (any_exclusive && lock.holders.size() > 1) {
      violations.push_back("holds lock " + name + " together with others, and it is Exclusive");
    }
    for (const auto& [uid, holder] : lock.holders) {
      if (holder.permits > 0 && lock.holders.size() > static_cast<std::size_t>(holder.permits)) {
        violations.push_back("is number " + std::to_string(lock.holders.size()) + " to hold lock " + name +
                             ", which has " + std::to_string(holder.permits) + " permits");
      }
    }
    judge_token(task, wanted, lock, violations);
  }
}

void LockRules::judge_token(const Json& task, const Json& wanted, Lock& lock,
                            std::vector<std::string>& violations) {
  const std::string name = wanted["name"];
  const std::int64_t token = token_of(task, name);
  const bool fresh = is_exclusive(wanted) ? token > lock.highest_token : token > 0;
  if (!fresh) {
    violations.push_back("got the fencing token " + std::to_string(token) + " for lock " + name + ", and " +
                         std::to_string(lock.highest_token) + " was given out before");
  }
  lock.highest_token = std::max(lock.highest_token, token);
}

}  // namespace convoke::simulation
