#include "reconcilers/task/decision.h"
#include "reconcilers/task/reasons.h"

namespace convoke::task {
namespace {

// Whoever is next wants to see it; for the rest the usual refresh will do, so that a hand-over does not cost
// a write for each that waits.
constexpr int kFrontOfQueue = 3;
constexpr Duration kFrontRefresh = std::chrono::seconds(10);

}  // namespace

void Decision::wait_for_lock(const api::LockWait& wait) {
  const bool is_news = next_.reason != reason::kWaitingForLock || !next_.waiting_for_lock ||
                       next_.waiting_for_lock->name != wait.name;
  const Duration soon = timing_.busy_write_delay - seen_.outlook.waited;
  if (is_news && soon > Duration::zero()) {
    put_off(soon);
    return;
  }
  const std::string message = "waits for lock " + wait.name + ": position " + std::to_string(wait.position) +
                              ", held by " + wait.held_by;
  if (is_news) {
    event(EventType::Normal, reason::kWaitingForLock, action::kQueue, message);
  }
  to(TaskPhase::Queued, reason::kWaitingForLock, message);
  next_.waiting_for_lock = wait;
  look_again(jittered(wait.position <= kFrontOfQueue ? kFrontRefresh : timing_.waiting_refresh));
}

void Decision::lose_lock(const std::string& why) {
  event(EventType::Warning, reason::kLockLost, action::kRetry, why);
  end_attempt(RetryOn::AgentLost, AttemptOutcome::LockLost, reason::kLockLost, why, true);
}

}  // namespace convoke::task
