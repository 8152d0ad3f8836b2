#include "reconcilers/workflow/run_plan.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/item_phases.h"
#include "reconcilers/workflow/run_stop.h"

namespace convoke::workflow {
namespace {

// Of one run at one look.
constexpr std::size_t kMaxHeld = 8;
constexpr std::size_t kMaxReasonBytes = 256;
constexpr Duration kSoon = std::chrono::milliseconds(1);

// Whether the child was told already; a run may be told again, with more force.
bool is_cancelled(const Child& child, bool force) {
  return child.task ? child.task->spec.cancel.has_value()
                    : child.run->spec.cancel.has_value() && (is_forced(*child.run) || !force);
}

}  // namespace

std::optional<ChildPatch> cancel_patch(const Child& child, const std::string& why, bool compensate,
                                       bool force) {
  if (!child || child.ended() || is_cancelled(child, force)) {
    return {};
  }
  Json cancel = {{"reason", api::cut_text(why, kMaxReasonBytes)}};
  if (child.run && force) {
    cancel["force"] = true;
  }
  if (child.run && compensate) {
    cancel["compensate"] = true;
  }
  return ChildPatch{child, {{"spec", {{"cancel", std::move(cancel)}}}}};
}

Plan::Plan(const RunSnapshot& from)
    : snapshot(from),
      definition(*from.definition),
      now(format_time(from.now)),
      rows(observe_rows(from)),
      transitions(from.status.transitions),
      current_step(from.status.current_step),
      observed_(rows) {
  const auto live = std::count_if(from.children.begin(), from.children.end(),
                                  [](const auto& entry) { return !entry.second.ended(); });
  room_ = definition.spec.parallelism - static_cast<int>(live);
}

RunScope& Plan::scope() {
  if (!scope_) {
    scope_.emplace(snapshot, rows);
  }
  return *scope_;
}

bool Plan::has_room() {
  if (snapshot.run->spec.suspend || snapshot.held.size() >= kMaxHeld) {
    return false;
  }
  if (room_ > 0 && starts.size() >= kMaxStartsAtOnce) {
    wake_at(snapshot.now + kSoon);
    return false;
  }
  return room_ > 0;
}

const std::string* Plan::held_back(const ChildKey& key) const {
  const auto found = snapshot.held.find(key);
  return found == snapshot.held.end() ? nullptr : &found->second;
}

void Plan::start(ChildStart child) {
  --room_;
  starts.push_back(std::move(child));
}

void Plan::drop_starts() {
  for (const auto& [key, name, is_run, spec] : starts) {
    auto& row = rows[key.step];
    if (key.item < 0) {
      row = observed_[key.step];
    } else if (auto items = ItemPhases::parse(row.items)) {
      // One between two iterations goes on running.
      const bool again = key.iteration > 1 && definition.step(key.step).repeat;
      items->set(static_cast<std::size_t>(key.item), again ? ItemPhases::kRunning : ItemPhases::kPending);
      row.items = items->text();
      row.item_iterations = observed_[key.step].item_iterations;
    }
  }
  starts.clear();
  patches.clear();
}

void Plan::wake_at(WallTime time) {
  const Duration wait = std::max(time - snapshot.now, kSoon);
  wake = wake ? std::min(*wake, wait) : wait;
}

void Plan::cancel(const Child& child, const std::string& why, bool compensate) {
  if (auto patch = cancel_patch(child, why, compensate, is_forced(*snapshot.run))) {
    patches.push_back(std::move(*patch));
  }
}

}  // namespace convoke::workflow
