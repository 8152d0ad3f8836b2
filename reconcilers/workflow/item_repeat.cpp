#include "reconcilers/workflow/item_repeat.h"

#include "controller/base/time_format.h"
#include "reconcilers/workflow/item_iterations.h"
#include "reconcilers/workflow/items.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/step_result.h"

namespace convoke::workflow {
namespace {

ChildKey latest_key(const Plan& plan, std::size_t i, std::size_t item) {
  return item_key(plan.snapshot, plan.rows[i], i, static_cast<int>(item));
}

// The items whose latest iteration has succeeded; whether it was the last one is not decided.
std::vector<std::size_t> find_succeeded(const Plan& plan, std::size_t i, const ItemPhases& items) {
  std::vector<std::size_t> found;
  for (std::size_t item = 0; plan.definition.step(i).repeat && item < items.size(); ++item) {
    if (items[item] != ItemPhases::kRunning) {
      continue;
    }
    const auto& child = plan.snapshot.child(latest_key(plan, i, item));
    if (child && child.ended() && child.phase() == api::StepPhase::Succeeded) {
      found.push_back(item);
    }
  }
  return found;
}

void fail_item(Plan& plan, std::size_t i, std::size_t item, const std::string& reason,
               const std::string& message, ItemPhases& items) {
  items.set(item, ItemPhases::kFailed);
  if (plan.rows[i].reason.empty()) {
    explain_row(plan.rows[i], reason, "item " + std::to_string(item) + ": " + message);
  }
}

Result<bool> is_last(Plan& plan, const ChildKey& key, const Json& value) {
  const auto& child = plan.snapshot.child(key);
  set_item(plan, key, value);
  plan.scope().set_step(key.step, {{"phase", "Succeeded"}, {"outputs", object_of(child.outputs())}});
  return holds(plan, *plan.definition.programs[key.step].repeat_until);
}

}  // namespace

std::vector<std::size_t> judge_iterations(Plan& plan, std::size_t i, ItemPhases& items) {
  std::vector<std::size_t> again;
  const auto succeeded = find_succeeded(plan, i, items);
  if (succeeded.empty()) {
    return again;
  }
  const auto values = same_items(plan, i, items.size());
  for (const auto item : succeeded) {
    const auto key = latest_key(plan, i, item);
    const auto last = values ? is_last(plan, key, (*values)[item]) : Result<bool>(values.error());
    const int most = plan.definition.step(i).repeat->max_iterations;
    if (!last) {
      fail_item(plan, i, item, last.error().reason, last.error().message, items);
    } else if (*last) {
      items.set(item, ItemPhases::kSucceeded);
    } else if (key.iteration >= most) {
      fail_item(plan, i, item, reason::kMaxIterations,
                "`until` did not hold after " + std::to_string(most) + " iterations", items);
    } else {
      again.push_back(item);
    }
  }
  return again;
}

bool start_iterations(Plan& plan, std::size_t i, std::vector<std::size_t>& again, ItemPhases& items) {
  if (again.empty()) {
    return true;
  }
  const auto values = same_items(plan, i, items.size());
  for (auto next = again.begin(); values && next != again.end();) {
    const auto item = *next;
    auto key = latest_key(plan, i, item);
    const auto ended = parse_time(plan.snapshot.child(key).completed_at());
    const auto due = (ended ? *ended : plan.snapshot.now) + plan.definition.step(i).repeat->delay;
    if (due > plan.snapshot.now) {
      plan.wake_at(due);
      ++next;
    } else if (++key.iteration; !plan.has_room() || plan.held_back(key) != nullptr) {
      ++next;
    } else {
      next = again.erase(next);
      if (!start_item(plan, key, (*values)[item])) {
        items.set(item, ItemPhases::kFailed);
        return false;
      }
    }
  }
  return true;
}

void record_items(Plan& plan, std::size_t i, const ItemPhases& items) {
  auto& row = plan.rows[i];
  row.items = items.text();
  if (!plan.definition.step(i).repeat) {
    return;
  }
  ItemIterations running;
  for (std::size_t item = 0; item < items.size(); ++item) {
    if (items[item] == ItemPhases::kRunning) {
      running[static_cast<int>(item)] = latest_key(plan, i, item).iteration;
    }
  }
  for (const auto& start : plan.starts) {
    if (start.key.step == i) {
      running[start.key.item] = start.key.iteration;
    }
  }
  std::erase_if(running, [](const auto& entry) { return entry.second == 1; });
  row.item_iterations = to_text(running);
}

}  // namespace convoke::workflow
