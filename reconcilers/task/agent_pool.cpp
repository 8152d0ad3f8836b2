#include "reconcilers/task/agent_pool.h"

namespace convoke::task {

AgentPool::AgentPool(Requirement requirement) : requirement_(std::move(requirement)) {}

void AgentPool::place(const AgentSlot& slot) {
  take_out(slot);
  if (const auto match = slot.facts.match(requirement_)) {
    insert(slot, *match);
  }
}

bool AgentPool::load_changed(const AgentSlot& slot) {
  const auto found = places_.find(&slot);
  if (found == places_.end()) {
    return false;
  }
  const Place before = found->second;
  erase(slot, before);
  insert(slot, before.match);
  return before.free != places_.at(&slot).free;
}

void AgentPool::take_out(const AgentSlot& slot) {
  const auto found = places_.find(&slot);
  if (found != places_.end()) {
    erase(slot, found->second);
    places_.erase(found);
  }
}

bool AgentPool::is_eligible(const AgentSlot& slot) const {
  return places_.contains(&slot);
}

int AgentPool::score(const AgentSlot& slot) const {
  return places_.at(&slot).score;
}

void AgentPool::insert(const AgentSlot& slot, int match) {
  Place& place = places_[&slot];
  place = {match, slot.has_room(), match - slot.load()};
  if (place.free) {
    free_.insert({place.score, &slot});
  } else {
    full_.insert(&slot);
  }
}

void AgentPool::erase(const AgentSlot& slot, const Place& place) {
  if (place.free) {
    free_.erase({place.score, &slot});
  } else {
    full_.erase(&slot);
  }
}

}  // namespace convoke::task
