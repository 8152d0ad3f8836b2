// What must hold of locks at every write, judged from the Tasks alone: a Task that an agent has holds every
// lock that it asked for.
//
//   - a grant from before somebody broke the lock counts for nothing;
//   - an Exclusive lock has one holder at most, and none beside a Shared one; permits are never exceeded;
//   - each assignment gets a fencing token for each of its locks, and that of an Exclusive lock is higher
//     than every token that was given out for it before.
//
// Thread safety: as Observer. Errors: see() returns what was violated.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controller/kube/json.h"

namespace convoke::simulation {

class LockRules {
 public:
  // A write of a Task; null `before`: created; null `after`: deleted.
  std::vector<std::string> see(const Json* before, const Json* after);
  // A write of a Lease.
  void see_lease(const Json& before, const Json& after);

 private:
  struct Holder {
    bool exclusive = true;
    int permits = 0;
  };
  struct Lock {
    std::map<std::string, Holder> holders;  // by the Task's uid
    std::int64_t highest_token = 0;
    std::int64_t broken_token = 0;  // this and all before it were broken
  };
  void take(const Json& task, std::vector<std::string>& violations);
  void judge_token(const Json& task, const Json& wanted, Lock& lock, std::vector<std::string>& violations);

  std::map<std::string, Lock> locks_;
};

}  // namespace convoke::simulation
