#include "reconcilers/workflow/compensation.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/item_phases.h"
#include "reconcilers/workflow/items.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/run_step.h"
#include "reconcilers/workflow/step_result.h"

namespace convoke::workflow {
namespace {

// A state that succeeded, and whose way on could not be taken: its row has failed since.
bool was_left_badly(const api::StepStatus& row) {
  return row.phase == api::StepPhase::Failed && row.order > 0 && row.reason != reason::kCompensationFailed;
}

// A step of which some items succeeded and others did not has failed, and yet has something to undo.
bool has_effect(const api::Step& step, const api::StepStatus& row) {
  if (step.compensate.empty() || !api::is_terminal(row.phase)) {
    return false;
  }
  return step.for_each ? row.items.find(ItemPhases::kSucceeded) != std::string::npos
                       : row.phase == api::StepPhase::Succeeded ||
                             row.phase == api::StepPhase::Compensating || was_left_badly(row);
}

// For each step when it, and what it waited for, had its last effect; nothing while one of them has not
// ended. So no step comes before one that it waited for, whatever the records say of their times: the
// operator may have died after it started a step and before it wrote that the one before had ended.
std::vector<std::optional<WallTime>> find_latest_effects(const Plan& plan) {
  const auto& definition = plan.definition;
  std::vector<std::optional<WallTime>> latest(definition.size());
  for (const auto i : definition.order) {
    const auto& waited_for = definition.dependencies[i];
    const bool all_ended =
        api::is_terminal(plan.rows[i].phase) &&
        std::all_of(waited_for.begin(), waited_for.end(), [&](auto d) { return latest[d].has_value(); });
    if (!all_ended) {
      continue;
    }
    auto time = has_effect(definition.step(i), plan.rows[i])
                    ? parse_time(plan.rows[i].completed_at).value_or(WallTime::min())
                    : WallTime::min();
    for (const auto d : waited_for) {
      time = std::max(time, *latest[d]);
    }
    latest[i] = time;
  }
  return latest;
}

// The row that is being undone, or is next; nothing if there is none left.
std::optional<std::size_t> find_next(const Plan& plan) {
  std::optional<std::size_t> next;
  for (std::size_t i = 0; i < plan.definition.main_steps; ++i) {
    const bool later = !next || plan.rows[i].order > plan.rows[*next].order;
    if (has_effect(plan.definition.step(i), plan.rows[i]) && later) {
      next = i;
    }
  }
  return next;
}

// The item whose undo comes next: the last one that succeeded.
std::size_t last_item(const ItemPhases& items) {
  std::size_t item = items.size();
  while (item > 0 && items[item - 1] != ItemPhases::kSucceeded) {
    --item;
  }
  return item - 1;
}

ChildKey undo_key(const RunSnapshot& snapshot, const api::StepStatus& row, std::size_t i) {
  int item = -1;
  if (snapshot.definition->step(i).for_each) {
    item = static_cast<int>(last_item(ItemPhases::parse(row.items).value_or(ItemPhases(1))));
  }
  return {i, item, 0, snapshot.status.round, true};
}

void record(Plan& plan, const ChildKey& key, bool undone, const std::string& why) {
  auto& row = plan.rows[key.step];
  bool over = true;
  bool failed = !undone;
  if (key.item >= 0) {
    auto items = ItemPhases::parse(row.items).value_or(ItemPhases());
    items.set(static_cast<std::size_t>(key.item), undone ? ItemPhases::kUndone : ItemPhases::kUndoFailed);
    row.items = items.text();
    over = items.count(ItemPhases::kSucceeded) == 0;
    failed = items.count(ItemPhases::kUndoFailed) > 0;
  }
  const bool had_succeeded =
      row.phase == api::StepPhase::Compensating;  // and not failed with some of its items
  if (failed) {
    explain_row(row, reason::kCompensationFailed,
                (key.item >= 0 ? "undo of item " + std::to_string(key.item) : std::string("undo")) +
                    " failed: " + why);
    row.phase = over ? api::StepPhase::Failed : row.phase;
  } else if (over && had_succeeded) {
    row.phase = api::StepPhase::Compensated;
    explain_row(row, reason::kCompensated, row.message);
  }
}

Result<Json> item_of(Plan& plan, const ChildKey& key) {
  plan.scope().clear_locals();
  plan.scope().select_steps(plan.definition.used_steps[key.step]);
  auto items = expand_items(plan, key.step);
  if (!items) {
    return items;
  }
  const auto number = static_cast<std::size_t>(key.item);
  return number < items->size() ? Result<Json>((*items)[number])
                                : Error{ErrorCode::Invalid, "the items changed", reason::kItemsChanged};
}

// The compensation of an item sees what that item gave, as that of a step sees what the step gave.
Status set_names(Plan& plan, const ChildKey& key) {
  auto item = key.item >= 0 ? item_of(plan, key) : Result<Json>(Json());
  if (!item) {
    return item.error();
  }
  auto& scope = plan.scope();
  scope.clear_locals();
  scope.select_steps(plan.definition.undo_steps[key.step]);
  if (key.item >= 0) {
    const auto& child = item_child(plan.snapshot, plan.rows[key.step], key.step, key.item);
    scope.set_step(
        key.step, {{"phase", "Succeeded"}, {"outputs", child ? object_of(child.outputs()) : Json::object()}});
    scope.set_local("index", key.item);
    scope.set_local(plan.definition.step(key.step).for_each->as, std::move(*item));
  }
  return {};
}

// Only why the way on could not be taken is worth keeping: it is why the run failed.
void mark_begun(api::StepStatus& row, bool is_fan_out) {
  if (row.phase == api::StepPhase::Succeeded) {
    row.phase = api::StepPhase::Compensating;
    explain_row(row, reason::kCompensating, "");
  } else if (!is_fan_out && was_left_badly(row)) {
    row.phase = api::StepPhase::Compensating;
    explain_row(row, reason::kCompensating, row.message);
  }
}

// True: it cannot even be started, and so has failed already.
bool start_undo(Plan& plan, const ChildKey& key) {
  auto& row = plan.rows[key.step];
  if (!plan.has_room() || plan.held_back(key) != nullptr) {
    return false;
  }
  mark_begun(row, key.item >= 0);
  const auto ready = set_names(plan, key);
  auto start = ready ? child_to_start(plan, key) : Result<ChildStart>(ready.error());
  if (!start) {
    record(plan, key, false, start.error().message);
    return true;
  }
  row.compensation_name = start->name;
  plan.start(std::move(*start));
  return false;
}

// True: this one is over, and the next may come.
bool look_at_undo(Plan& plan, const ChildKey& key) {
  auto& row = plan.rows[key.step];
  if (const auto& child = plan.snapshot.child(key)) {
    mark_begun(row, key.item >= 0);
    if (child.ended()) {
      record(plan, key, child.phase() == api::StepPhase::Succeeded, child.reason() + ": " + child.message());
    } else {
      row.compensation_name = child.meta().name;
    }
    return child.ended();
  }
  if (plan.snapshot.gone.count(key) > 0) {
    record(plan, key, false, "Task " + row.compensation_name + " was deleted before it ended");
    return true;
  }
  if (const auto refused = plan.snapshot.refused.find(key); refused != plan.snapshot.refused.end()) {
    record(plan, key, false, refused->second.message);
    return true;
  }
  return row.compensation_name != name_of(plan.snapshot, key) && start_undo(plan, key);
}

}  // namespace

void number_completions(Plan& plan) {
  const auto latest = find_latest_effects(plan);
  std::vector<std::size_t> ended;
  int last = 0;
  for (const auto i : plan.definition.order) {
    last = std::max(last, plan.rows[i].order);
    if (!plan.definition.is_finally(i) && plan.rows[i].order == 0 && latest[i] &&
        has_effect(plan.definition.step(i), plan.rows[i])) {
      ended.push_back(i);
    }
  }
  std::stable_sort(ended.begin(), ended.end(),
                   [&](std::size_t a, std::size_t b) { return *latest[a] < *latest[b]; });
  for (const auto i : ended) {
    plan.rows[i].order = ++last;
  }
}

std::optional<ChildKey> recorded_undo(const RunSnapshot& snapshot, const api::StepStatus& row,
                                      std::size_t step) {
  if (row.compensation_name.empty() || !has_effect(snapshot.definition->step(step), row)) {
    return std::nullopt;
  }
  const auto key = undo_key(snapshot, row, step);
  const bool made = row.compensation_name == first_name(*snapshot.run, row.name, key) ||
                    row.compensation_name == second_name(*snapshot.run, row.name, key);
  return made ? std::optional(key) : std::nullopt;
}

bool has_to_undo(const Plan& plan) {
  return find_next(plan).has_value();
}

void undo_next(Plan& plan) {
  for (auto next = find_next(plan); next; next = find_next(plan)) {
    if (!look_at_undo(plan, undo_key(plan.snapshot, plan.rows[*next], *next))) {
      return;
    }
  }
}

Undone look_at_undone(const Plan& plan) {
  Undone result;
  for (std::size_t i = 0; i < plan.definition.main_steps; ++i) {
    const auto& row = plan.rows[i];
    if (row.reason == reason::kCompensationFailed) {
      result.standing.push_back(row.name);
    } else if (row.phase == api::StepPhase::Compensated ||
               row.items.find(ItemPhases::kUndone) != std::string::npos) {
      result.undone.push_back(row.name);
    }
  }
  return result;
}

}  // namespace convoke::workflow
