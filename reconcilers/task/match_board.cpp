#include "reconcilers/task/match_board.h"

#include <algorithm>
#include <utility>

#include "reconcilers/task/rule_book.h"
#include "reconcilers/task/strategy.h"

namespace convoke::task {
namespace {

// Requirements that nobody waits with any more, whose pools are kept in case the next Task has one of them.
constexpr std::size_t kMaxIdlePools = 32;

bool is_older(std::uint64_t version, std::uint64_t known) {
  return version != 0 && known != 0 && version < known;
}

bool is_queued(TaskEntry::State state) {
  return state == TaskEntry::State::Waiting || state == TaskEntry::State::Blocked ||
         state == TaskEntry::State::Held;
}

}  // namespace

using State = TaskEntry::State;

// --- What happened ---

void MatchBoard::upsert_task(const api::Task& task, const Demand& demand, MonotonicTime now) {
  const kube::ObjectKey key = task.meta.key();
  const std::uint64_t version = kube::resource_version_number(task.meta.resource_version);
  const auto known = tasks_.find(key);
  if (known != tasks_.end()) {
    const bool is_another = known->second.urgency.uid != task.meta.uid;
    if (!is_another && is_older(version, known->second.resource_version)) return;
    if (is_another || demand.kind == Demand::Kind::None) forget(known->second);
  }
  if (demand.kind != Demand::Kind::None) {
    TaskEntry& entry = entry_of(task);
    entry.resource_version = version;
    if (demand.kind == Demand::Kind::Active) {
      set_active(entry, demand);
    } else {
      set_waiting(entry,
                  {demand.priority, task.meta.creation_timestamp, task.meta.uid,
                   task.meta.label(api::label::kWorkflow)},
                  demand, now);
    }
  }
  tidy(key.namespace_);
}

void MatchBoard::remove_task(const kube::ObjectKey& key, const std::string& uid) {
  const auto known = tasks_.find(key);
  if (known != tasks_.end() && known->second.urgency.uid == uid) {
    forget(known->second);
    tidy(key.namespace_);
  }
}

void MatchBoard::upsert_agent(const api::Agent& agent, MonotonicTime now) {
  Namespace& home = home_of(agent.meta.namespace_);
  AgentSlot& slot = slot_of(home, agent.meta.name);
  const std::uint64_t version = kube::resource_version_number(agent.meta.resource_version);
  const bool same_object = slot.known && slot.uid == agent.meta.uid;
  if (same_object && is_older(version, slot.resource_version)) {
    return;
  }
  const AgentNews news = slot.learn(agent, home.rule_paths);
  const bool is_new = !std::exchange(slot.known, true);
  home.known_agents += is_new ? 1 : 0;
  slot.uid = agent.meta.uid;
  slot.resource_version = version;
  if (is_new || news == AgentNews::Facts) {
    slot.rate.configure(slot.facts.rate_limit, now);
    rate_changed(home, slot, now);
    fitness_changed(home, slot);
  } else if (news == AgentNews::Record) {
    record_changed(home, slot);
  }
  tidy(agent.meta.namespace_);
}

void MatchBoard::remove_agent(const kube::ObjectKey& key, const std::string& uid) {
  Namespace& home = home_of(key.namespace_);
  const auto found = home.agents.find(key.name);
  if (found != home.agents.end() && found->second.known && found->second.uid == uid) {
    AgentSlot& slot = found->second;
    slot.known = false;
    --home.known_agents;
    fitness_changed(home, slot);
    released_.push_back(key.name);
  }
  tidy(key.namespace_);
}

void MatchBoard::set_lock(const kube::ObjectKey& lock, const LockRecord& record) {
  locks_.set_holders(lock, record);
  settle_locks();
}

// --- Decisions ---

void MatchBoard::set_rules_revision(std::uint64_t revision) {
  rules_revision_ = revision;
  const std::vector<DemandClass*> classes(ready_.begin(), ready_.end());
  for (DemandClass* demand_class : classes) {
    refresh(*demand_class);
  }
}

std::vector<MatchBoard::Match> MatchBoard::match_all(MonotonicTime now, Random& random) {
  std::vector<Match> matches;
  reopen(now);
  while (!ready_.empty()) {
    DemandClass& next = **ready_.begin();
    TaskEntry& entry = *next.waiting.head();
    AgentSlot& slot = slot_of(next.pool.home, next.choose(random)->name);
    reserve(entry, slot, now);
    settle_locks();
    matches.push_back({entry.key, now - entry.waiting_since});
  }
  return matches;
}

void MatchBoard::reserve(TaskEntry& entry, AgentSlot& slot, MonotonicTime now) {
  DemandClass& demand_class = *entry.demand_class;
  Reservation reservation;
  reservation.agent_name = slot.name;
  reservation.strategy = demand_class.pool.agents.requirement().strategy;
  reservation.score = demand_class.pool.agents.score(slot);
  reservation.candidates = demand_class.candidates();
  if (demand_class.offer.pinned.empty()) {
    reservation.rejected = demand_class.rejected();
  }
  turn_taken(entry);
  locks_.reserve(entry);
  leave_queue(entry);
  --waiting_;
  entry.state = State::Reserved;
  entry.agent = &slot;
  reservation.holds_token = true;
  entry.reservation = std::move(reservation);
  demand_class.pool.agents.served(slot);  // before its load changes, which load_changed() looks for
  slot.reserved.insert(entry.key);
  slot.rate.take(now);
  rate_changed(demand_class.pool.home, slot, now);
  load_changed(demand_class.pool.home, slot);
}

void MatchBoard::turn_taken(const TaskEntry& entry) {
  const FlowKey flow = flow_of(entry);
  WorkflowTurns& turns = home_of(entry).turns;
  for (DemandClass* demand_class : turns.serve(flow)) {
    make_unready(*demand_class);
    demand_class->waiting.turn_moved(flow, turns.turn_of(flow));
    refresh(*demand_class);
  }
}

// --- Rate limits ---

void MatchBoard::replay(const std::vector<RecentAssignment>& recent, MonotonicTime now) {
  std::map<kube::ObjectKey, std::vector<MonotonicTime>> by_agent;
  for (const RecentAssignment& assignment : recent) {
    by_agent[assignment.agent].push_back(now - assignment.ago);
  }
  for (auto& [key, times] : by_agent) {
    const auto home = namespaces_.find(key.namespace_);
    const auto slot = home == namespaces_.end() ? nullptr : find_slot(home->second, key.name);
    if (slot != nullptr) {
      slot->rate.replay(std::move(times), now);
      rate_changed(home->second, *slot, now);
      load_changed(home->second, *slot);
    }
  }
}

void MatchBoard::rate_changed(Namespace& home, AgentSlot& slot, MonotonicTime now) {
  const MonotonicTime opens_at = slot.rate.opens_at(now);
  wakes_.erase({slot.wakes_at, {home.name, slot.name}});
  slot.throttled = opens_at > now;
  if (slot.throttled) {
    slot.wakes_at = opens_at;
    wakes_.insert({opens_at, {home.name, slot.name}});
  }
}

// The token of a match that came to nothing is there again: seen by the next match_all().
void MatchBoard::token_returned(Namespace& home, AgentSlot& slot) {
  slot.rate.put_back();
  if (slot.throttled) {
    wakes_.erase({slot.wakes_at, {home.name, slot.name}});
    slot.wakes_at = MonotonicTime();
    wakes_.insert({slot.wakes_at, {home.name, slot.name}});
  }
}

void MatchBoard::reopen(MonotonicTime now) {
  while (!wakes_.empty() && wakes_.begin()->first <= now) {
    const kube::ObjectKey key = wakes_.begin()->second;
    wakes_.erase(wakes_.begin());
    const auto home = namespaces_.find(key.namespace_);
    AgentSlot* const slot = home == namespaces_.end() ? nullptr : find_slot(home->second, key.name);
    if (slot != nullptr) {
      rate_changed(home->second, *slot, now);
      load_changed(home->second, *slot);
    }
  }
}

std::optional<MonotonicTime> MatchBoard::next_wake() const {
  return wakes_.empty() ? std::nullopt : std::optional(wakes_.begin()->first);
}

std::vector<kube::ObjectKey> MatchBoard::take_flips() {
  std::vector<kube::ObjectKey> keys;
  for (const std::string& name : std::exchange(changed_, {})) {
    for (auto& [requirement, pool] : home_of(name).pools) {
      for (auto& [offer, demand_class] : pool.classes) {
        const Verdict verdict = demand_class.verdict();
        if (std::exchange(demand_class.announced, verdict) != verdict) {
          announce(demand_class, keys);
        }
      }
    }
  }
  return keys;
}

std::vector<kube::ObjectKey> MatchBoard::take_news() {
  std::vector<kube::ObjectKey> keys;
  for (const std::string& name : std::exchange(news_, {})) {
    for (auto& [requirement, pool] : home_of(name).pools) {
      for (auto& [offer, demand_class] : pool.classes) {
        std::string kinds = demand_class.kinds_of_rejection();
        if (std::exchange(demand_class.announced_kinds, kinds) != kinds) {
          announce(demand_class, keys);
        }
      }
    }
  }
  return keys;
}

void MatchBoard::announce(const DemandClass& demand_class, std::vector<kube::ObjectKey>& keys) {
  for (const TaskEntry* entry : demand_class.waiting.some(kMaxAnnounced)) {
    keys.push_back(entry->key);
  }
}

const TaskEntry* MatchBoard::find(const kube::ObjectKey& key, const std::string& uid) const {
  const auto known = tasks_.find(key);
  const bool same = known != tasks_.end() && known->second.urgency.uid == uid;
  return same ? &known->second : nullptr;
}

void MatchBoard::release(const kube::ObjectKey& key, const std::string& uid) {
  const auto known = tasks_.find(key);
  if (known == tasks_.end() || known->second.urgency.uid != uid || known->second.state != State::Reserved) {
    return;
  }
  unlink(known->second);
  known->second.state = State::Held;
  ++waiting_;
  tidy(key.namespace_);
}

Explanation MatchBoard::explain(const TaskEntry& entry) const {
  return {entry.demand_class->verdict(), entry.demand_class->rejected()};
}

bool MatchBoard::has_room_elsewhere(const api::Task& task, const Demand& demand) const {
  const auto home = namespaces_.find(task.meta.namespace_);
  if (home == namespaces_.end() || demand.kind != Demand::Kind::Waiting) {
    return false;
  }
  const auto& refused = demand.offer.excluded;
  return std::any_of(home->second.agents.begin(), home->second.agents.end(), [&](const auto& named) {
    const AgentSlot& slot = named.second;
    return slot.known && slot.has_room() && slot.name != task.status.agent_name &&
           !std::binary_search(refused.begin(), refused.end(), slot.name) && slot.fits(demand.requirement);
  });
}

// --- Tasks ---

TaskEntry& MatchBoard::entry_of(const api::Task& task) {
  TaskEntry& entry = tasks_[task.meta.key()];
  if (entry.state == State::New) {
    entry.key = task.meta.key();
    entry.urgency.uid = task.meta.uid;
  }
  return entry;
}

void MatchBoard::set_waiting(TaskEntry& entry, const Urgency& urgency, const Demand& demand,
                             MonotonicTime now) {
  DemandClass& wanted = class_for(home_of(entry), demand);
  const bool same_class = entry.demand_class == &wanted;
  const bool stands = entry.state == State::Waiting || entry.state == State::Blocked;
  if (same_class && stands && entry.urgency == urgency) {
    return;
  }
  if (same_class && entry.state == State::Reserved) {
    entry.urgency = urgency;
    return;
  }
  if (entry.state == State::New || entry.state == State::Active) {
    entry.waiting_since = now;
  }
  unlink(entry);
  entry.urgency = urgency;
  if (!same_class) {
    leave_class(entry);
    entry.locks = demand.locks;
    enter_class(entry, wanted);
  }
  link_waiting(entry);
}

void MatchBoard::set_active(TaskEntry& entry, const Demand& demand) {
  const bool same_place = entry.state == State::Active && entry.agent->name == demand.agent_name;
  if (same_place && demand.assigned_at <= entry.assigned_at) {
    return;
  }
  Namespace& home = home_of(entry);
  AgentSlot& slot = slot_of(home, demand.agent_name);
  WallTime assigned_at = demand.assigned_at;
  if (entry.state == State::Reserved && entry.agent == &slot && slot.facts.trial) {
    // The clock that says when the circuit became half open may have been another operator's.
    assigned_at = std::max(assigned_at, slot.facts.trial->since);
  }
  slot.active.insert(assigned_at);  // before the reservation goes, so that its place is never free in between
  entry.reservation.holds_token = entry.reservation.holds_token && entry.agent != &slot;
  unlink(entry);
  leave_class(entry);
  entry.state = State::Active;
  entry.agent = &slot;
  entry.assigned_at = assigned_at;
  load_changed(home, slot);
}

void MatchBoard::forget(TaskEntry& entry) {
  unlink(entry);
  leave_class(entry);
  tasks_.erase(kube::ObjectKey(entry.key));
}

void MatchBoard::unlink(TaskEntry& entry) {
  if (is_queued(entry.state)) {
    --waiting_;
  }
  leave_queue(entry);
  locks_.dequeue(entry);
  locks_.unreserve(entry);
  if (entry.agent != nullptr) {
    AgentSlot& slot = *std::exchange(entry.agent, nullptr);
    if (entry.state == State::Active) {
      slot.active.erase(slot.active.find(entry.assigned_at));
    }
    slot.reserved.erase(entry.key);
    if (entry.state == State::Reserved && entry.reservation.holds_token) {
      token_returned(home_of(entry), slot);
    }
    load_changed(home_of(entry), slot);
    released_.push_back(slot.name);
  }
  entry.reservation = {};
}

void MatchBoard::link_waiting(TaskEntry& entry) {
  ++waiting_;
  if (entry.demand_class->hopeful) {
    locks_.enqueue(entry);
  }
  if (LockTable::is_clear(entry)) {
    enter_queue(entry);
  } else {
    entry.state = State::Blocked;
    ++blocked_;
  }
}

void MatchBoard::enter_queue(TaskEntry& entry) {
  entry.state = State::Waiting;
  make_unready(*entry.demand_class);
  entry.demand_class->waiting.insert(&entry, home_of(entry).turns.join(flow_of(entry), *entry.demand_class));
  refresh(*entry.demand_class);
}

void MatchBoard::leave_queue(TaskEntry& entry) {
  blocked_ -= entry.state == State::Blocked ? 1 : 0;
  if (entry.state == State::Waiting) {
    make_unready(*entry.demand_class);
    entry.demand_class->waiting.erase(&entry);
    const FlowKey flow = flow_of(entry);
    home_of(entry).turns.leave(flow, *entry.demand_class, !entry.demand_class->waiting.holds(flow));
    refresh(*entry.demand_class);
  }
}

// --- Locks ---

void MatchBoard::settle_locks() {
  for (TaskEntry* entry : locks_.take_changed()) {
    const bool clear = LockTable::is_clear(*entry);
    if (clear && entry->state == State::Blocked) {
      leave_queue(*entry);
      enter_queue(*entry);
    } else if (!clear && entry->state == State::Waiting) {
      leave_queue(*entry);
      entry->state = State::Blocked;
      ++blocked_;
    }
  }
}

void MatchBoard::review_hope(DemandClass& demand_class) {
  const bool hopeful = demand_class.verdict() == Verdict::AgentsBusy;
  if (std::exchange(demand_class.hopeful, hopeful) == hopeful) {
    return;
  }
  for (TaskEntry* entry : demand_class.lockers) {
    if (entry->state == State::Waiting || entry->state == State::Blocked) {
      unlink(*entry);
      link_waiting(*entry);
    }
  }
}

// --- Classes and pools ---

void MatchBoard::enter_class(TaskEntry& entry, DemandClass& demand_class) {
  entry.demand_class = &demand_class;
  ++demand_class.members;
  if (!entry.locks.empty()) {
    demand_class.lockers.insert(&entry);
  }
}

void MatchBoard::leave_class(TaskEntry& entry) {
  DemandClass* left = std::exchange(entry.demand_class, nullptr);
  if (left != nullptr) {
    left->lockers.erase(&entry);
  }
  if (left != nullptr && --left->members == 0) {
    retire(*left);
  }
}

DemandClass& MatchBoard::class_for(Namespace& home, const Demand& demand) {
  const std::string key = demand.requirement.key();
  const auto [pool, is_new_pool] = home.pools.try_emplace(key, home, demand.requirement);
  if (is_new_pool) {
    pool->second.key = key;
    if (demand.requirement.rules != nullptr) {
      const AgentPaths& paths = demand.requirement.rules->agent_paths();
      home.rule_paths.insert(paths.begin(), paths.end());
    }
    for (const auto& [name, slot] : home.agents) {
      if (slot.known) {
        pool->second.agents.place(slot);
      }
    }
  }
  if (pool->second.idle) {
    home.idle.erase(*pool->second.idle);
    pool->second.idle.reset();
  }
  const auto [found, is_new] = pool->second.classes.try_emplace(demand.offer, pool->second, demand.offer);
  if (is_new) {
    found->second.announced = found->second.verdict();
    found->second.hopeful = found->second.announced == Verdict::AgentsBusy;
  }
  return found->second;
}

void MatchBoard::retire(DemandClass& demand_class) {
  Pool& pool = demand_class.pool;
  pool.classes.erase(Offer(demand_class.offer));
  if (!pool.classes.empty()) {
    return;
  }
  std::list<Pool*>& idle = pool.home.idle;
  pool.idle = idle.insert(idle.end(), &pool);
  if (idle.size() > kMaxIdlePools) {
    Pool& oldest = *idle.front();
    idle.pop_front();
    remove(oldest);
  }
}

void MatchBoard::remove(Pool& pool) {
  Namespace& home = pool.home;
  const auto rules = pool.agents.requirement().rules;
  for (const auto& path : rules != nullptr ? rules->agent_paths() : AgentPaths()) {
    home.rule_paths.erase(home.rule_paths.find(path));
  }
  home.pools.erase(std::string(pool.key));
}

void MatchBoard::make_unready(DemandClass& demand_class) {
  if (demand_class.ready) {
    ready_.erase(*demand_class.ready);
    demand_class.ready.reset();
  }
}

void MatchBoard::refresh(DemandClass& demand_class) {
  make_unready(demand_class);
  const bool up_to_date = demand_class.pool.agents.requirement().rules_revision == rules_revision_;
  if (up_to_date && !demand_class.waiting.empty() && demand_class.best_agent() != nullptr) {
    demand_class.ready = ready_.insert(&demand_class).first;
  }
}

// --- Agents ---

void MatchBoard::load_changed(Namespace& home, AgentSlot& slot) {
  for (auto& [key, pool] : home.pools) {
    if (!pool.agents.load_changed(slot)) {
      continue;
    }
    // Classes without a pin sort first; of the others only those that are pinned to this agent are concerned.
    auto& classes = pool.classes;
    for (auto it = classes.begin(); it != classes.end() && it->first.pinned.empty(); ++it) {
      refresh(it->second);
    }
    const auto pinned = classes.find(Offer{slot.name, {}, false});
    if (pinned != classes.end()) {
      refresh(pinned->second);
    }
  }
}

void MatchBoard::fitness_changed(Namespace& home, AgentSlot& slot) {
  changed_.insert(home.name);
  news_.insert(home.name);
  for (auto& [key, pool] : home.pools) {
    if (slot.known) {
      pool.agents.place(slot);
    } else {
      pool.agents.take_out(slot);
    }
    for (auto& [offer, demand_class] : pool.classes) {
      refresh(demand_class);
      review_hope(demand_class);
    }
  }
  review_reservations(slot);
}

void MatchBoard::record_changed(Namespace& home, const AgentSlot& slot) {
  for (auto& [key, pool] : home.pools) {
    if (counts_by_type(pool.agents.requirement().strategy)) {
      pool.agents.place(slot);
    }
  }
}

void MatchBoard::review_reservations(AgentSlot& slot) {
  const std::set<kube::ObjectKey> reserved = slot.reserved;
  for (const kube::ObjectKey& key : reserved) {
    TaskEntry& entry = tasks_.at(key);
    if (!entry.demand_class->pool.agents.is_eligible(slot)) {
      unlink(entry);
      link_waiting(entry);
    }
  }
}

Namespace& MatchBoard::home_of(const std::string& name) {
  Namespace& home = namespaces_[name];
  home.name = name;
  return home;
}

Namespace& MatchBoard::home_of(const TaskEntry& entry) {
  return home_of(entry.key.namespace_);
}

AgentSlot& MatchBoard::slot_of(Namespace& home, const std::string& name) {
  AgentSlot& slot = home.agents[name];
  slot.name = name;
  return slot;
}

AgentSlot* MatchBoard::find_slot(Namespace& home, const std::string& name) {
  const auto found = home.agents.find(name);
  return found == home.agents.end() ? nullptr : &found->second;
}

void MatchBoard::tidy(const std::string& namespace_) {
  settle_locks();
  Namespace& home = home_of(namespace_);
  for (const std::string& name : released_) {
    const auto slot = home.agents.find(name);
    if (slot != home.agents.end() && !slot->second.known && slot->second.load() == 0) {
      wakes_.erase({slot->second.wakes_at, {namespace_, name}});
      home.agents.erase(slot);
    }
  }
  released_.clear();
  if (home.agents.empty() && home.pools.size() == home.idle.size()) {
    changed_.erase(namespace_);
    news_.erase(namespace_);
    namespaces_.erase(namespace_);
  }
}

}  // namespace convoke::task
