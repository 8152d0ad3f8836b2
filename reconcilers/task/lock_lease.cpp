#include "reconcilers/task/lock_lease.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "controller/kube/json_fields.h"

namespace convoke::task {
namespace {

using api::LockMode;

constexpr char kPrefix[] = "convoke-lock-";
constexpr std::size_t kMaxNameBytes = 253;

Json to_json(const LockHolder& holder) {
  Json json = {{"uid", holder.uid},
               {"task", holder.task},
               {"mode", api::to_string(holder.mode)},
               {"token", holder.token},
               {"since", holder.since}};
  if (holder.permits > 0) {
    json["permits"] = holder.permits;
  }
  return json;
}

LockHolder holder_from_json(const Json& json) {
  LockHolder holder;
  holder.uid = kube::string_at(json, "uid");
  holder.task = kube::string_at(json, "task");
  const bool shared = kube::string_at(json, "mode") == api::to_string(LockMode::Shared);
  holder.mode = shared ? LockMode::Shared : LockMode::Exclusive;
  holder.permits = static_cast<int>(std::clamp<std::int64_t>(kube::number_at(json, "permits"), 0, 1'000'000));
  holder.token = kube::number_at(json, "token");
  // It becomes the Lease's acquireTime, which the API takes in this one form.
  const auto since = parse_time(kube::string_at(json, "since"));
  holder.since = since ? format_micro_time(*since) : "";
  return holder;
}

// Of anything else that somebody wrote there no Task can be told, and it may be long.
bool names_a_task(const Json& item) {
  const std::string name = item.is_object() ? kube::string_at(item, "task") : "";
  const bool is_sound = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
  return is_sound && !name.empty() && name.size() <= kMaxNameBytes && !kube::string_at(item, "uid").empty();
}

std::vector<LockHolder> holders_of(const kube::Lease& lease) {
  std::vector<LockHolder> holders;
  const auto text = lease.meta.annotations.find(kLockHoldersAnnotation);
  if (text == lease.meta.annotations.end()) {
    return holders;
  }
  const Result<Json> list = parse_json(text->second);
  if (!list || !list->is_array()) {
    return holders;
  }
  for (const Json& item : *list) {
    if (names_a_task(item)) {
      holders.push_back(holder_from_json(item));
    }
  }
  return holders;
}

// Writes who holds the lock into its Lease.
kube::Lease with_holders(kube::Lease lease, const std::vector<LockHolder>& holders, WallTime now) {
  if (holders.empty()) {
    lease.meta.annotations.erase(kLockHoldersAnnotation);
    lease.holder_identity.clear();
  } else {
    Json list = Json::array();
    for (const LockHolder& holder : holders) {
      list.push_back(to_json(holder));
    }
    lease.meta.annotations[kLockHoldersAnnotation] = dump_json(list);
    if (lease.holder_identity != holders.front().uid) {
      lease.acquire_time = holders.front().since;
    }
    lease.holder_identity = holders.front().uid;
    lease.lease_duration_seconds = std::chrono::duration_cast<std::chrono::seconds>(kLockDuration).count();
  }
  lease.renew_time = format_micro_time(now);
  return lease;
}

// The fewest that all who say a number allow.
int fewest(int a, int b) {
  return a == 0 || b == 0 ? std::max(a, b) : std::min(a, b);
}

}  // namespace

LockRecord LockRecord::of(const kube::Lease& lease) {
  LockRecord record{lease, holders_of(lease), {}};
  const bool ours = !record.holders.empty() && record.holders.front().uid == lease.holder_identity;
  if (!ours) {
    record.holders.clear();
    record.foreign = lease.holder_identity;
  }
  return record;
}

const LockHolder* LockRecord::find(const std::string& uid) const {
  const auto found = std::find_if(holders.begin(), holders.end(),
                                  [&uid](const LockHolder& holder) { return holder.uid == uid; });
  return found == holders.end() ? nullptr : &*found;
}

bool LockRecord::admits(const std::string& uid, const api::LockRequest& request) const {
  if (!foreign.empty()) {
    return false;
  }
  int others = 0;
  int permits = fewest(request.permits, kMaxLockHolders);
  for (const LockHolder& holder : holders) {
    if (holder.uid == uid) {
      continue;
    }
    if (holder.mode == LockMode::Exclusive || request.mode == LockMode::Exclusive) {
      return false;
    }
    permits = fewest(permits, holder.permits);
    ++others;
  }
  return others < permits;
}

std::string LockRecord::describe() const {
  constexpr std::size_t kShown = 3;
  if (!foreign.empty()) {
    return api::cut_text("holder " + foreign, 300);
  }
  if (holders.empty()) {
    return "";
  }
  std::string text = holders.size() == 1 ? "Task " : "Tasks ";
  for (std::size_t i = 0; i < std::min(holders.size(), kShown); ++i) {
    text += (i == 0 ? "" : ", ") + holders[i].task;
  }
  if (holders.size() > kShown) {
    text += " and " + std::to_string(holders.size() - kShown) + " more";
  }
  return text + " (" + api::to_string(holders.front().mode) + ")";
}

std::optional<std::string> LockRecord::break_reason() const {
  const auto wish = lease.meta.annotations.find(kBreakLockAnnotation);
  return wish == lease.meta.annotations.end() ? std::nullopt : std::optional(wish->second);
}

Duration LockRecord::duration() const {
  const std::chrono::seconds said(std::clamp<std::int64_t>(lease.lease_duration_seconds, 0, 3600));
  return said.count() == 0 ? kLockDuration : std::min<Duration>(said, kMaxLockDuration);
}

kube::Lease LockRecord::granted(const api::Task& task, const api::LockRequest& request, WallTime now) const {
  kube::Lease next = lease;
  ++next.lease_transitions;
  std::vector<LockHolder> all = holders;
  all.erase(std::remove_if(all.begin(), all.end(),
                           [&task](const LockHolder& holder) { return holder.uid == task.meta.uid; }),
            all.end());
  all.push_back({task.meta.uid, task.meta.name, request.mode, request.permits, next.lease_transitions,
                 format_micro_time(now)});
  next.meta.labels[api::label::kLock] = request.name;
  return with_holders(std::move(next), all, now);
}

kube::Lease LockRecord::without(const std::vector<std::string>& uids, WallTime now) const {
  std::vector<LockHolder> left;
  for (const LockHolder& holder : holders) {
    if (std::find(uids.begin(), uids.end(), holder.uid) == uids.end()) {
      left.push_back(holder);
    }
  }
  return with_holders(lease, left, now);
}

kube::Lease LockRecord::renewed(WallTime now) const {
  return with_holders(lease, holders, now);
}

kube::Lease LockRecord::broken(WallTime now) const {
  kube::Lease next = with_holders(lease, {}, now);
  next.meta.annotations.erase(kBreakLockAnnotation);
  return next;
}

std::string lock_lease_name(const std::string& lock) {
  return kPrefix + lock;
}

std::optional<std::string> lock_of(const kube::Lease& lease) {
  const std::string& lock = lease.meta.label(api::label::kLock);
  const bool agree = !lock.empty() && lease.meta.name == lock_lease_name(lock);
  return agree ? std::optional(lock) : std::nullopt;
}

LockRecord new_lock(const std::string& namespace_, const std::string& lock, std::int64_t last_token) {
  LockRecord record;
  record.lease.meta.namespace_ = namespace_;
  record.lease.meta.name = lock_lease_name(lock);
  record.lease.lease_transitions = last_token;
  return record;
}

bool is_same_record(const kube::Lease& a, const kube::Lease& b) {
  return a.holder_identity == b.holder_identity && a.renew_time == b.renew_time &&
         a.acquire_time == b.acquire_time && a.lease_transitions == b.lease_transitions;
}

std::vector<api::LockRequest> in_order(std::vector<api::LockRequest> locks) {
  const auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
  const auto same = [](const auto& a, const auto& b) { return a.name == b.name; };
  std::stable_sort(locks.begin(), locks.end(), by_name);
  locks.erase(std::unique(locks.begin(), locks.end(), same), locks.end());
  return locks;
}

}  // namespace convoke::task
