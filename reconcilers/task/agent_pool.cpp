#include "reconcilers/task/agent_pool.h"

#include <algorithm>

#include "reconcilers/task/rule_book.h"
#include "reconcilers/task/strategy.h"

namespace convoke::task {

using api::Strategy;

AgentPool::AgentPool(Requirement requirement)
    : requirement_(std::move(requirement)), reference_(speed_reference(Duration::zero())) {}

void AgentPool::place(const AgentSlot& slot) {
  drop(slot);
  refused_.erase(&slot);
  if (const auto match = slot.facts.match(requirement_)) {
    std::string refusal = requirement_.rules != nullptr ? requirement_.rules->objection(slot.view()) : "";
    if (refusal.empty()) {
      Place& place = places_[&slot];
      place.match = *match;
      if (requirement_.strategy == Strategy::PerformanceBased) {
        const auto* statistics = slot.record.of_type(requirement_.task_type);
        place.mean = statistics == nullptr ? Duration::zero() : statistics->mean_duration;
      }
      if (place.mean > Duration::zero()) {
        means_.insert(place.mean);
      }
      enter(slot, place);
    } else {
      refused_.emplace(&slot, std::move(refusal));
    }
  }
  review_reference();
}

bool AgentPool::load_changed(const AgentSlot& slot) {
  const auto found = places_.find(&slot);
  if (found == places_.end()) {
    return false;
  }
  const bool was_free = found->second.free;
  leave(slot, found->second);
  enter(slot, found->second);
  return was_free != found->second.free;
}

void AgentPool::served(const AgentSlot& slot) {
  const auto found = places_.find(&slot);
  if (requirement_.strategy != Strategy::RoundRobin || found == places_.end()) {
    return;
  }
  leave(slot, found->second);
  turn_of_[&slot] = ++turns_;
  enter(slot, found->second);
}

void AgentPool::take_out(const AgentSlot& slot) {
  drop(slot);
  refused_.erase(&slot);
  turn_of_.erase(&slot);
  review_reference();
}

bool AgentPool::is_eligible(const AgentSlot& slot) const {
  return places_.contains(&slot);
}

std::string AgentPool::refusal(const AgentSlot& slot) const {
  const auto found = refused_.find(&slot);
  return found == refused_.end() ? "" : found->second;
}

double AgentPool::score(const AgentSlot& slot) const {
  const double rank = places_.at(&slot).rank;
  if (requirement_.strategy == Strategy::RoundRobin) {
    return static_cast<double>(turns_) + rank;
  }
  return requirement_.strategy == Strategy::CostOptimized ? -rank : rank;
}

const AgentSlot* AgentPool::draw(Random& random, const std::vector<const AgentSlot*>& excluded) const {
  std::vector<std::size_t> skipped;
  for (const AgentSlot* slot : excluded) {
    const auto found = places_.find(slot);
    if (found != places_.end() && found->second.free) {
      skipped.push_back(found->second.drawn_at);
    }
  }
  std::sort(skipped.begin(), skipped.end());
  if (skipped.size() >= drawable_.size()) {
    return nullptr;
  }
  // The number of one that is not skipped, then its index among all.
  std::size_t index = random.next() % (drawable_.size() - skipped.size());
  for (const std::size_t skip : skipped) {
    index += index >= skip ? 1 : 0;
  }
  return drawable_[index];
}

double AgentPool::rank_of(const AgentSlot& slot, const Place& place) const {
  const auto* statistics =
      counts_by_type(requirement_.strategy) ? slot.record.of_type(requirement_.task_type) : nullptr;
  switch (requirement_.strategy) {
    case Strategy::CapabilityMatch:
      return place.match - slot.load();
    case Strategy::LeastLoaded:
      return 1 - slot.load_factor();
    case Strategy::RoundRobin:
      return -static_cast<double>(turn_of(slot));
    case Strategy::Random:
      return 0;
    case Strategy::PerformanceBased:
      return performance_score(statistics, slot.load_factor(), reference_);
    case Strategy::CostOptimized:
      return -expected_cost(slot.record.cost, statistics);
  }
  return 0;
}

void AgentPool::enter(const AgentSlot& slot, Place& place) {
  place.free = slot.has_room();
  if (!place.free) {
    full_.insert(&slot);
    return;
  }
  place.rank = rank_of(slot, place);
  free_.insert({place.rank, &slot});
  if (requirement_.strategy == Strategy::Random) {
    place.drawn_at = drawable_.size();
    drawable_.push_back(&slot);
  }
}

void AgentPool::leave(const AgentSlot& slot, const Place& place) {
  if (!place.free) {
    full_.erase(&slot);
    return;
  }
  free_.erase({place.rank, &slot});
  if (requirement_.strategy == Strategy::Random) {
    drawable_[place.drawn_at] = drawable_.back();
    places_.at(drawable_.back()).drawn_at = place.drawn_at;
    drawable_.pop_back();
  }
}

void AgentPool::drop(const AgentSlot& slot) {
  const auto found = places_.find(&slot);
  if (found == places_.end()) {
    return;
  }
  leave(slot, found->second);
  if (found->second.mean > Duration::zero()) {
    means_.erase(means_.find(found->second.mean));
  }
  places_.erase(found);
}

// When the fastest agent is twice as fast or slow as before, all are ranked anew.
void AgentPool::review_reference() {
  const Duration wanted = speed_reference(means_.empty() ? Duration::zero() : *means_.begin());
  if (wanted == reference_) {
    return;
  }
  reference_ = wanted;
  for (auto& [slot, place] : places_) {
    leave(*slot, place);
    enter(*slot, place);
  }
}

std::uint64_t AgentPool::turn_of(const AgentSlot& slot) const {
  const auto found = turn_of_.find(&slot);
  return found == turn_of_.end() ? 0 : found->second;
}

}  // namespace convoke::task
