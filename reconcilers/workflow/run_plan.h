// One decision while it is being taken: the rows as they will be, what is to be created and patched, and when
// time alone changes something. The parts of decide() fill it, each after the other. Used by one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reconcilers/workflow/run_rows.h"
#include "reconcilers/workflow/run_scope.h"

namespace convoke::workflow {

// More are created after the next look, so that one large run does not hold a worker for long.
inline constexpr std::size_t kMaxStartsAtOnce = 100;

// What cancels a child that has not ended; none if it was told already. `why` is for people; `compensate`: a
// run is to undo what it did; `force`: a run is to end its `finally` too.
std::optional<ChildPatch> cancel_patch(const Child& child, const std::string& why, bool compensate,
                                       bool force);

class Plan {
 public:
  // The snapshot outlives the plan.
  explicit Plan(const RunSnapshot& snapshot);
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  const RunSnapshot& snapshot;
  const Definition& definition;
  const std::string now;
  Rows rows;
  int transitions;
  std::string current_step;
  std::vector<ChildStart> starts;
  std::vector<ChildPatch> patches;
  std::optional<Duration> wake;

  // Made when it is first needed, for that reads the run's parameters.
  RunScope& scope();

  // Whether one more child may start now. False while the run is suspended, and where so many are held back
  // by the API server that asking for more would only burden it.
  bool has_room();
  // Why this child cannot be made at this look, and a later one may; null if nothing is known against it.
  const std::string* held_back(const ChildKey& key) const;
  void start(ChildStart child);
  // Takes back what this plan would have started: the rows are as they were observed.
  void drop_starts();
  // Asks to decide again at that time, at the latest.
  void wake_at(WallTime time);
  // Cancels a child that has not ended, once. `compensate`: a run is to undo what it did.
  void cancel(const Child& child, const std::string& why, bool compensate = false);

 private:
  int room_;
  const Rows observed_;
  std::optional<RunScope> scope_;
};

}  // namespace convoke::workflow
