#include "reconcilers/workflow/run_plan.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/item_phases.h"

namespace convoke::workflow {
namespace {

constexpr std::size_t kMaxReasonBytes = 256;
constexpr Duration kSoon = std::chrono::milliseconds(1);

bool is_cancelled(const Child& child) {
  return child.task ? child.task->spec.cancel.has_value() : child.run->spec.cancel.has_value();
}

}  // namespace

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
  if (snapshot.run->spec.suspend) {
    return false;
  }
  if (room_ > 0 && starts.size() >= kMaxStartsAtOnce) {
    wake_at(snapshot.now + kSoon);
    return false;
  }
  return room_ > 0;
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
      items->set(static_cast<std::size_t>(key.item), ItemPhases::kPending);
      row.items = items->text();
    }
  }
  starts.clear();
}

void Plan::wake_at(WallTime time) {
  const Duration wait = std::max(time - snapshot.now, kSoon);
  wake = wake ? std::min(*wake, wait) : wait;
}

void Plan::cancel(const Child& child, const std::string& why, bool compensate) {
  if (!child || child.ended() || is_cancelled(child)) {
    return;
  }
  Json cancel = {{"reason", api::cut_text(why, kMaxReasonBytes)}};
  if (child.run && compensate) {
    cancel["compensate"] = true;
  }
  patches.push_back({child, {{"spec", {{"cancel", std::move(cancel)}}}}});
}

}  // namespace convoke::workflow
