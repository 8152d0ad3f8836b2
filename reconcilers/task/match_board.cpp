#include "reconcilers/task/match_board.h"

#include <algorithm>
#include <utility>

namespace convoke::task {
namespace {

// Requirements that nobody waits with any more, whose pools are kept in case the next Task has one of them.
constexpr std::size_t kMaxIdlePools = 32;

bool is_older(std::uint64_t version, std::uint64_t known) {
  return version != 0 && known != 0 && version < known;
}

bool is_queued(TaskEntry::State state) {
  return state == TaskEntry::State::Waiting || state == TaskEntry::State::Held;
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
      set_active(entry, demand.agent_name);
    } else {
      set_waiting(entry, {task.spec.priority, task.meta.creation_timestamp, task.meta.uid}, demand, now);
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

void MatchBoard::upsert_agent(const api::Agent& agent) {
  Namespace& home = home_of(agent.meta.namespace_);
  AgentSlot& slot = slot_of(home, agent.meta.name);
  const std::uint64_t version = kube::resource_version_number(agent.meta.resource_version);
  const bool same_object = slot.known && slot.uid == agent.meta.uid;
  if (same_object && is_older(version, slot.resource_version)) {
    return;
  }
  AgentFacts facts = AgentFacts::of(agent);
  const bool news = !slot.known || slot.facts != facts;
  home.known_agents += slot.known ? 0 : 1;
  slot.known = true;
  slot.uid = agent.meta.uid;
  slot.resource_version = version;
  if (news) {
    slot.facts = std::move(facts);
    fitness_changed(home, slot);
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

// --- Decisions ---

std::vector<MatchBoard::Match> MatchBoard::match_all(MonotonicTime now) {
  std::vector<Match> matches;
  while (!ready_.empty()) {
    DemandClass& next = **ready_.begin();
    TaskEntry& entry = **next.waiting.begin();
    AgentSlot& slot = slot_of(next.pool.home, next.best_agent()->name);
    reserve(entry, slot);
    matches.push_back({entry.key, now - entry.waiting_since});
  }
  return matches;
}

void MatchBoard::reserve(TaskEntry& entry, AgentSlot& slot) {
  DemandClass& demand_class = *entry.demand_class;
  Reservation reservation;
  reservation.agent_name = slot.name;
  reservation.score = demand_class.pool.agents.score(slot);
  reservation.candidates = demand_class.candidates();
  if (demand_class.offer.pinned.empty()) {
    reservation.rejected = demand_class.rejected();
  }
  unlink(entry);
  entry.state = State::Reserved;
  entry.agent = &slot;
  entry.reservation = std::move(reservation);
  slot.reserved.insert(entry.key);
  load_changed(demand_class.pool.home, slot);
}

std::vector<kube::ObjectKey> MatchBoard::take_flips() {
  std::vector<kube::ObjectKey> keys;
  for (const std::string& name : std::exchange(changed_, {})) {
    for (auto& [requirement, pool] : home_of(name).pools) {
      for (auto& [offer, demand_class] : pool.classes) {
        announce(demand_class, keys);
      }
    }
  }
  return keys;
}

void MatchBoard::announce(DemandClass& demand_class, std::vector<kube::ObjectKey>& keys) {
  const Verdict verdict = demand_class.verdict();
  if (std::exchange(demand_class.announced, verdict) == verdict) {
    return;
  }
  std::size_t announced = 0;
  for (auto entry = demand_class.waiting.begin();
       entry != demand_class.waiting.end() && announced < kMaxAnnounced; ++entry, ++announced) {
    keys.push_back((*entry)->key);
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
  if (same_class && entry.state == State::Waiting && entry.urgency == urgency) {
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
    enter_class(entry, wanted);
  }
  link_waiting(entry);
}

void MatchBoard::set_active(TaskEntry& entry, const std::string& agent_name) {
  if (entry.state == State::Active && entry.agent->name == agent_name) {
    return;
  }
  Namespace& home = home_of(entry);
  AgentSlot& slot = slot_of(home, agent_name);
  ++slot.active;  // before the reservation goes, so that its place is never free in between
  unlink(entry);
  leave_class(entry);
  entry.state = State::Active;
  entry.agent = &slot;
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
  if (entry.state == State::Waiting) {
    make_unready(*entry.demand_class);
    entry.demand_class->waiting.erase(&entry);
    refresh(*entry.demand_class);
  }
  if (entry.agent != nullptr) {
    AgentSlot& slot = *std::exchange(entry.agent, nullptr);
    slot.active -= entry.state == State::Active ? 1 : 0;
    slot.reserved.erase(entry.key);
    load_changed(home_of(entry), slot);
    released_.push_back(slot.name);
  }
  entry.reservation = {};
}

void MatchBoard::link_waiting(TaskEntry& entry) {
  entry.state = State::Waiting;
  make_unready(*entry.demand_class);
  entry.demand_class->waiting.insert(&entry);
  refresh(*entry.demand_class);
  ++waiting_;
}

// --- Classes and pools ---

void MatchBoard::enter_class(TaskEntry& entry, DemandClass& demand_class) {
  entry.demand_class = &demand_class;
  ++demand_class.members;
}

void MatchBoard::leave_class(TaskEntry& entry) {
  DemandClass* left = std::exchange(entry.demand_class, nullptr);
  if (left != nullptr && --left->members == 0) {
    retire(*left);
  }
}

DemandClass& MatchBoard::class_for(Namespace& home, const Demand& demand) {
  const std::string key = demand.requirement.key();
  const auto [pool, is_new_pool] = home.pools.try_emplace(key, home, demand.requirement);
  if (is_new_pool) {
    pool->second.key = key;
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
    const std::string oldest = idle.front()->key;
    Namespace& home = pool.home;
    idle.pop_front();
    home.pools.erase(oldest);
  }
}

void MatchBoard::make_unready(DemandClass& demand_class) {
  if (demand_class.ready) {
    ready_.erase(*demand_class.ready);
    demand_class.ready.reset();
  }
}

void MatchBoard::refresh(DemandClass& demand_class) {
  make_unready(demand_class);
  if (!demand_class.waiting.empty() && demand_class.best_agent() != nullptr) {
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
  for (auto& [key, pool] : home.pools) {
    if (slot.known) {
      pool.agents.place(slot);
    } else {
      pool.agents.take_out(slot);
    }
    for (auto& [offer, demand_class] : pool.classes) {
      refresh(demand_class);
    }
  }
  review_reservations(slot);
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

void MatchBoard::tidy(const std::string& namespace_) {
  Namespace& home = home_of(namespace_);
  for (const std::string& name : released_) {
    const auto slot = home.agents.find(name);
    if (slot != home.agents.end() && !slot->second.known && slot->second.load() == 0) {
      home.agents.erase(slot);
    }
  }
  released_.clear();
  if (home.agents.empty() && home.pools.size() == home.idle.size()) {
    changed_.erase(namespace_);
    namespaces_.erase(namespace_);
  }
}

}  // namespace convoke::task
