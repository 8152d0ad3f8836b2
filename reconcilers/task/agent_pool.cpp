#include "reconcilers/task/agent_pool.h"

namespace convoke::task {

AgentPool::AgentPool(Requirement requirement) : requirement_(std::move(requirement)) {}

void AgentPool::place(const AgentSlot& slot) {
  take_out(slot);
  insert(slot, slot.facts.match(requirement_));
}

bool AgentPool::load_changed(const AgentSlot& slot) {
  const auto found = places_.find(&slot);
  if (found == places_.end() || !found->second.match) {
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
  const auto found = places_.find(&slot);
  return found != places_.end() && found->second.match.has_value();
}

int AgentPool::score(const AgentSlot& slot) const {
  return places_.at(&slot).score;
}

void AgentPool::insert(const AgentSlot& slot, std::optional<int> match) {
  Place& place = places_[&slot];
  place = {match, match && slot.has_room(), match.value_or(0) - slot.load()};
  if (place.free) {
    free_.insert({place.score, &slot});
  } else {
    (place.match ? full_ : unfit_).insert(&slot);
  }
}

void AgentPool::erase(const AgentSlot& slot, const Place& place) {
  if (place.free) {
    free_.erase({place.score, &slot});
  } else {
    (place.match ? full_ : unfit_).erase(&slot);
  }
}

}  // namespace convoke::task
