#include "reconcilers/task/lock_table.h"

#include <algorithm>
#include <utility>

namespace convoke::task {

using api::LockMode;

// --- Who gets along ---

void LockTable::Tally::add(const Use& use) {
  ++count;
  exclusive += use.mode == LockMode::Exclusive ? 1 : 0;
  if (use.permits > 0) {
    permits.insert(use.permits);
  }
}

void LockTable::Tally::remove(const Use& use) {
  --count;
  exclusive -= use.mode == LockMode::Exclusive ? 1 : 0;
  if (use.permits > 0) {
    permits.erase(permits.find(use.permits));
  }
}

bool LockTable::Tally::fits() const {
  if (exclusive > 0) {
    return count == 1;
  }
  return count <= kMaxLockHolders && (permits.empty() || count <= *permits.begin());
}

// --- Holders ---

void LockTable::set_holders(const kube::ObjectKey& key, const LockRecord& record) {
  if (!record.is_held() && !locks_.contains(key)) {
    return;
  }
  Lock& lock = locks_[key];
  for (const auto& [uid, use] : std::exchange(lock.holders, {})) {
    if (!lock.reserved.contains(uid)) {
      lock.tally.remove(use);
    }
  }
  for (const LockHolder& holder : record.holders) {
    lock.holders.emplace(holder.uid, Use{holder.mode, holder.permits});
  }
  if (!record.foreign.empty()) {
    lock.holders.emplace(record.foreign, Use{});
  }
  for (const auto& [uid, use] : lock.holders) {
    if (!lock.reserved.contains(uid)) {
      lock.tally.add(use);
    }
  }
  lock.described = record.describe();
  balance(key.name, lock);
  tidy(key);
}

void LockTable::reserve(TaskEntry& entry) {
  if (entry.locks.empty()) {
    return;
  }
  for (const api::LockRequest& request : entry.locks) {
    Lock& lock = locks_[key_of(entry, request)];
    if (lock.clear.erase(&entry) == 0) {
      lock.tally.add(use_of(request));  // it did not queue; who is clear was counted
    }
    lock.reserved.emplace(entry.urgency.uid, &entry);
    // Who holds it still, from an attempt before, was counted as that, too.
    if (const auto held = lock.holders.find(entry.urgency.uid); held != lock.holders.end()) {
      lock.tally.remove(held->second);
    }
  }
  entry.lock_state = TaskEntry::LockState::Reserved;
  changed_.erase(&entry);
}

void LockTable::unreserve(TaskEntry& entry) {
  if (entry.lock_state != TaskEntry::LockState::Reserved) {
    return;
  }
  for (const api::LockRequest& request : entry.locks) {
    const kube::ObjectKey key = key_of(entry, request);
    Lock& lock = locks_[key];
    lock.reserved.erase(entry.urgency.uid);
    lock.tally.remove(use_of(request));
    if (const auto held = lock.holders.find(entry.urgency.uid); held != lock.holders.end()) {
      lock.tally.add(held->second);
    }
    balance(key.name, lock);
    tidy(key);
  }
  entry.lock_state = TaskEntry::LockState::None;
}

// --- Queues ---

void LockTable::enqueue(TaskEntry& entry) {
  if (entry.locks.empty()) {
    return;
  }
  entry.lock_state = TaskEntry::LockState::Queued;
  entry.blocked_at = 0;
  for (const api::LockRequest& request : entry.locks) {
    insert(entry, request);
  }
}

void LockTable::dequeue(TaskEntry& entry) {
  if (entry.lock_state != TaskEntry::LockState::Queued) {
    return;
  }
  for (const api::LockRequest& request : entry.locks) {
    erase(entry, request);
  }
  entry.lock_state = TaskEntry::LockState::None;
  entry.blocked_at = 0;
  changed_.erase(&entry);
}

void LockTable::insert(TaskEntry& entry, const api::LockRequest& request) {
  Lock& lock = locks_[key_of(entry, request)];
  const bool is_behind = !lock.blocked.empty() && MostUrgentFirst()(*lock.blocked.begin(), &entry);
  if (is_behind) {
    lock.blocked.insert(&entry);
    count(entry, +1);
    return;
  }
  lock.clear.insert(&entry);
  lock.tally.add(use_of(request));
  balance(request.name, lock);
}

void LockTable::erase(TaskEntry& entry, const api::LockRequest& request) {
  const kube::ObjectKey key = key_of(entry, request);
  Lock& lock = locks_[key];
  if (lock.clear.erase(&entry) > 0) {
    lock.tally.remove(use_of(request));
  } else {
    lock.blocked.erase(&entry);
    count(entry, -1);
  }
  balance(request.name, lock);
  tidy(key);
}

void LockTable::balance(const std::string& name, Lock& lock) {
  while (!lock.clear.empty() && !lock.tally.fits()) {
    TaskEntry& last = **lock.clear.rbegin();
    lock.clear.erase(&last);
    lock.tally.remove(use_of(request_of(last, name)));
    lock.blocked.insert(&last);
    count(last, +1);
  }
  while (!lock.blocked.empty()) {
    TaskEntry& first = **lock.blocked.begin();
    const Use use = use_of(request_of(first, name));
    lock.tally.add(use);
    if (!lock.tally.fits()) {
      lock.tally.remove(use);
      return;
    }
    lock.blocked.erase(lock.blocked.begin());
    lock.clear.insert(&first);
    count(first, -1);
  }
}

void LockTable::count(TaskEntry& entry, int change) {
  const bool was_clear = is_clear(entry);
  entry.blocked_at += change;
  if (was_clear != is_clear(entry)) {
    changed_.insert(&entry);
  }
}

std::set<TaskEntry*> LockTable::take_changed() {
  return std::exchange(changed_, {});
}

// --- What is told ---

api::LockWait LockTable::explain(const TaskEntry& entry) const {
  auto* const pointer = const_cast<TaskEntry*>(&entry);  // only compared
  for (const api::LockRequest& request : entry.locks) {
    const auto found = locks_.find(key_of(entry, request));
    if (found == locks_.end() || found->second.clear.contains(pointer)) {
      continue;
    }
    const Lock& lock = found->second;
    api::LockWait wait;
    wait.name = request.name;
    wait.position = static_cast<int>(lock.clear.size() + lock.blocked.order_of_key(pointer)) + 1;
    if (!lock.holders.empty()) {
      wait.held_by = lock.described;
    } else if (!lock.reserved.empty()) {
      wait.held_by = "Task " + lock.reserved.begin()->second->key.name;
    } else {
      const TaskEntry* next = lock.clear.empty() ? *lock.blocked.begin() : *lock.clear.begin();
      wait.held_by = "nobody; Task " + next->key.name + " is next";
    }
    return wait;
  }
  return {};
}

const api::LockRequest& LockTable::request_of(const TaskEntry& entry, const std::string& lock) {
  return *std::find_if(entry.locks.begin(), entry.locks.end(),
                       [&lock](const api::LockRequest& request) { return request.name == lock; });
}

kube::ObjectKey LockTable::key_of(const TaskEntry& entry, const api::LockRequest& request) {
  return {entry.key.namespace_, request.name};
}

void LockTable::tidy(const kube::ObjectKey& key) {
  const auto found = locks_.find(key);
  if (found == locks_.end()) {
    return;
  }
  const Lock& lock = found->second;
  if (lock.holders.empty() && lock.reserved.empty() && lock.clear.empty() && lock.blocked.empty()) {
    locks_.erase(found);
  }
}

}  // namespace convoke::task
