#include "reconcilers/dispatch/agent_slots.h"

namespace convoke::dispatch {

bool AgentSlots::enter(const Key& agent, int limit, const Key& who, Called& called) {
  const MutexLock lock(mutex_);
  const Place& place = stand_in_line(agent, who, called);
  Slots& slots = slots_[agent];
  slots.limit = limit;
  call(slots, called);
  if (!place.called) return false;
  std::erase(called, who);  // it is here already
  --slots.kept;
  ++slots.taken;
  places_.erase(who);
  return true;
}

AgentSlots::Called AgentSlots::leave(const Key& agent) {
  const MutexLock lock(mutex_);
  const auto found = slots_.find(agent);
  if (found == slots_.end()) return {};
  --found->second.taken;
  Called called;
  call(found->second, called);
  forget_if_unused(agent);
  return called;
}

void AgentSlots::come(const Key& who) {
  const MutexLock lock(mutex_);
  const auto place = places_.find(who);
  if (place != places_.end() && place->second.called) place->second.has_come = true;
}

AgentSlots::Called AgentSlots::go(const Key& who) {
  const MutexLock lock(mutex_);
  Called called;
  const auto place = places_.find(who);
  // Who was called while it was looked at is looked at again.
  if (place != places_.end() && place->second.has_come) leave_place(place, called);
  return called;
}

AgentSlots::Called AgentSlots::give_up(const Key& who) {
  const MutexLock lock(mutex_);
  Called called;
  const auto place = places_.find(who);
  if (place != places_.end()) leave_place(place, called);
  return called;
}

// Also who was called stands in line again, at its turn: the limit may have become lower meanwhile.
AgentSlots::Place& AgentSlots::stand_in_line(const Key& agent, const Key& who, Called& called) {
  auto place = places_.find(who);
  if (place != places_.end() && place->second.agent != agent) {
    leave_place(place, called);
    place = places_.end();
  }
  if (place == places_.end()) {
    place = places_.emplace(who, Place{agent, next_ticket_++, false, false}).first;
  }
  Slots& slots = slots_[agent];
  if (place->second.called) --slots.kept;
  place->second.called = false;
  place->second.has_come = false;
  slots.line.emplace(place->second.ticket, who);
  return place->second;
}

void AgentSlots::leave_place(Places::iterator place, Called& called) {
  const Key agent = place->second.agent;
  Slots& slots = slots_[agent];
  if (place->second.called) {
    --slots.kept;
  } else {
    slots.line.erase(place->second.ticket);
  }
  places_.erase(place);
  call(slots, called);
  forget_if_unused(agent);
}

void AgentSlots::call(Slots& slots, Called& called) {
  while (slots.has_room() && !slots.line.empty()) {
    const auto first = slots.line.begin();
    places_[first->second].called = true;
    ++slots.kept;
    called.push_back(first->second);
    slots.line.erase(first);
  }
}

void AgentSlots::forget_if_unused(const Key& agent) {
  const auto found = slots_.find(agent);
  if (found != slots_.end() && found->second.is_unused()) slots_.erase(found);
}

}  // namespace convoke::dispatch
