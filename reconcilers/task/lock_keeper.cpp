#include "reconcilers/task/lock_keeper.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace convoke::task {
namespace {

// Others may write the Lease between our read and our write, but not for ever.
constexpr int kRounds = 10;

kube::ObjectKey key_of(const api::Task& task, const std::string& lock) {
  return {task.meta.namespace_, lock_lease_name(lock)};
}

bool may_have_happened(const Error& error) {
  return error.code == ErrorCode::Unavailable || error.code == ErrorCode::Timeout;
}

}  // namespace

LockKeeper::LockKeeper(kube::Client& client, api::Caches& caches, Clock& clock, LockMetrics& metrics,
                       Logger log)
    : client_(client), caches_(caches), clock_(clock), metrics_(metrics), log_(std::move(log)) {}

// --- While a Task is being assigned ---

LockKeeper::Taking::Taking(LockKeeper& keeper, const api::Task& task) : keeper_(keeper), uid_(task.meta.uid) {
  const MutexLock lock(keeper_.mutex_);
  keeper_.taking_.insert(uid_);
}

LockKeeper::Taking::~Taking() {
  const MutexLock lock(keeper_.mutex_);
  keeper_.taking_.erase(keeper_.taking_.find(uid_));
}

bool LockKeeper::is_taking(const std::string& uid) const {
  const MutexLock lock(mutex_);
  return taking_.contains(uid);
}

// --- Taking ---

Result<LockKeeper::Tokens> LockKeeper::acquire(const api::Task& task) {
  Tokens tokens;
  for (const api::LockRequest& request : in_order(task.spec.locks)) {
    const Result<std::int64_t> token = acquire_one(task, request);
    if (!token) {
      if (!may_have_happened(token.error())) {
        give_back(task);
      }
      return token.error();
    }
    tokens[request.name] = *token;
  }
  return tokens;
}

Result<std::int64_t> LockKeeper::acquire_one(const api::Task& task, const api::LockRequest& request) {
  const kube::ObjectKey key = key_of(task, request.name);
  const auto cached = caches_.locks.get(key);
  LockRecord record =
      cached != nullptr ? LockRecord::of(*cached) : new_lock(key.namespace_, request.name, last_token(key));
  for (int round = 0; round < kRounds; ++round) {
    if (!record.admits(task.meta.uid, request)) {
      adopt(record, request.name);
      return Error{ErrorCode::Conflict, "lock " + request.name + " is held by " + record.describe()};
    }
    const Result<kube::Lease> written = write(record.granted(task, request, clock_.wall_now()));
    if (written) {
      metrics_.granted();
      return written->lease_transitions;
    }
    const ErrorCode code = written.error().code;
    if (code != ErrorCode::Conflict && code != ErrorCode::AlreadyExists && code != ErrorCode::NotFound) {
      return written.error().with_context("taking lock " + request.name);
    }
    Result<LockRecord> now_there = read(key, request.name);
    if (!now_there) {
      return now_there.error().with_context("taking lock " + request.name);
    }
    record = std::move(*now_there);
  }
  return Error{ErrorCode::Conflict, "lock " + request.name + " is written by others all the time"};
}

void LockKeeper::give_back(const api::Task& task) {
  for (const api::LockRequest& request : task.spec.locks) {
    const auto lease = caches_.locks.get(key_of(task, request.name));
    if (lease == nullptr) {
      continue;
    }
    const LockRecord record = LockRecord::of(*lease);
    if (record.find(task.meta.uid) == nullptr) {
      continue;
    }
    if (const auto written = write(record.without({task.meta.uid}, clock_.wall_now())); !written) {
      log_.debug("a lock was not given back at once; it will be", {{"namespace", task.meta.namespace_},
                                                                   {"lock", request.name},
                                                                   {"error", written.error().describe()}});
    }
  }
}

// --- Having ---

Result<std::string> LockKeeper::loss(const api::Task& task) {
  for (const auto& [lock, token] : task.status.assignment.fencing) {
    const kube::ObjectKey key = key_of(task, lock);
    const auto cached = caches_.locks.get(key);
    if (cached != nullptr && LockRecord::of(*cached).find(task.meta.uid) != nullptr) {
      continue;
    }
    // The watch may be behind what an operator before this one wrote.
    const Result<LockRecord> record = read(key, lock);
    if (!record) {
      return record.error();
    }
    if (record->find(task.meta.uid) == nullptr) {
      const std::string now = record->is_held() ? "it is held by " + record->describe() : "nobody holds it";
      return "lock " + lock + " (token " + std::to_string(token) + ") is not its own any more: " + now;
    }
    adopt(*record, lock);
  }
  return std::string();
}

void LockKeeper::lock_deleted(const kube::Lease& lease) {
  const MutexLock lock(mutex_);
  std::int64_t& token = tokens_of_deleted_[lease.meta.key()];
  token = std::max(token, lease.lease_transitions);
}

std::int64_t LockKeeper::last_token(const kube::ObjectKey& key) const {
  const MutexLock lock(mutex_);
  const auto known = tokens_of_deleted_.find(key);
  return known == tokens_of_deleted_.end() ? 0 : known->second;
}

// --- Leases ---

Result<LockRecord> LockKeeper::read(const kube::ObjectKey& key, const std::string& lock) {
  const Result<Json> answer = client_.get(kube::kLease, key);
  if (!answer && answer.error().code == ErrorCode::NotFound) {
    return new_lock(key.namespace_, lock, last_token(key));
  }
  if (!answer) {
    return answer.error();
  }
  kube::Lease lease = kube::Lease::from_json(*answer);
  LockRecord record = LockRecord::of(lease);
  if (lock_of(lease)) {
    caches_.locks.overlay(std::make_shared<const kube::Lease>(std::move(lease)));
  }
  return record;
}

Result<kube::Lease> LockKeeper::write(const kube::Lease& lease) {
  const bool is_new = lease.meta.resource_version.empty();
  const Result<Json> answer =
      is_new ? client_.create(kube::kLease, lease.to_json()) : client_.update(kube::kLease, lease.to_json());
  if (!answer) {
    return answer.error();
  }
  kube::Lease written = kube::Lease::from_json(*answer);
  caches_.locks.overlay(std::make_shared<const kube::Lease>(written));
  return written;
}

void LockKeeper::adopt(const LockRecord& record, const std::string& lock) {
  if (lock_of(record.lease) || record.lease.meta.resource_version.empty()) {
    return;
  }
  kube::Lease labelled = record.lease;
  labelled.meta.labels[api::label::kLock] = lock;
  if (const auto written = write(labelled); !written) {
    log_.debug(
        "the Lease of a lock could not be labelled; it is tried again",
        {{"namespace", labelled.meta.namespace_}, {"lock", lock}, {"error", written.error().describe()}});
  }
}

}  // namespace convoke::task
