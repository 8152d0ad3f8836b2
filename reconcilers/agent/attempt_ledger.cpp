#include "reconcilers/agent/attempt_ledger.h"

#include <algorithm>

#include "reconcilers/agent/performance.h"

namespace convoke::agent {

void AttemptLedger::add(const kube::ObjectKey& agent, const EndedAttempt& attempt, bool is_new) {
  const MutexLock lock(mutex_);
  agents_[agent].try_emplace(attempt.id, Entry{attempt, is_new});
}

std::vector<EndedAttempt> AttemptLedger::uncounted(const api::Agent& agent) {
  std::vector<EndedAttempt> attempts;
  const MutexLock lock(mutex_);
  const auto found = agents_.find(agent.meta.key());
  if (found == agents_.end()) {
    return attempts;
  }
  std::erase_if(found->second, [&](const auto& item) {
    const Entry& entry = item.second;
    return entry.is_new ? is_named(agent.status, entry.attempt) : is_counted(agent, entry.attempt);
  });
  for (const auto& [id, entry] : found->second) {
    attempts.push_back(entry.attempt);
  }
  if (found->second.empty()) {
    agents_.erase(found);
  }
  std::sort(attempts.begin(), attempts.end());
  return attempts;
}

void AttemptLedger::counted(const kube::ObjectKey& agent, const std::vector<EndedAttempt>& attempts) {
  const MutexLock lock(mutex_);
  const auto found = agents_.find(agent);
  if (found == agents_.end()) {
    return;
  }
  for (const EndedAttempt& attempt : attempts) {
    found->second.erase(attempt.id);
  }
  if (found->second.empty()) {
    agents_.erase(found);
  }
}

void AttemptLedger::maybe_counted(const kube::ObjectKey& agent, const std::vector<EndedAttempt>& attempts) {
  const MutexLock lock(mutex_);
  const auto found = agents_.find(agent);
  if (found == agents_.end()) {
    return;
  }
  for (const EndedAttempt& attempt : attempts) {
    const auto entry = found->second.find(attempt.id);
    if (entry != found->second.end()) {
      entry->second.is_new = false;
    }
  }
}

void AttemptLedger::forget(const kube::ObjectKey& agent) {
  const MutexLock lock(mutex_);
  agents_.erase(agent);
}

void AttemptLedger::forget(const kube::ObjectKey& agent, const EndedAttempt& attempt) {
  counted(agent, {attempt});
}

std::vector<kube::ObjectKey> AttemptLedger::agents() const {
  std::vector<kube::ObjectKey> keys;
  const MutexLock lock(mutex_);
  for (const auto& [key, entries] : agents_) {
    keys.push_back(key);
  }
  return keys;
}

}  // namespace convoke::agent
