#include "reconcilers/workflow/fan_out.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/workflow/item_phases.h"
#include "reconcilers/workflow/item_repeat.h"
#include "reconcilers/workflow/items.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/sub_run.h"

namespace convoke::workflow {
namespace {

// The message of the item that failed first.
std::string describe_failure(const Plan& plan, const api::StepStatus& row, std::size_t i,
                             const ItemPhases& items) {
  const auto failed = items.count(ItemPhases::kFailed);
  const auto first = items.first(failed > 0 ? ItemPhases::kFailed : ItemPhases::kCancelled);
  std::string text = std::to_string(failed) + " of " + std::to_string(items.size()) + " items failed";
  if (failed == 0) {
    text = std::to_string(items.count(ItemPhases::kCancelled)) + " of " + std::to_string(items.size()) +
           " items were cancelled";
  }
  const auto key = item_key(plan.snapshot, row, i, static_cast<int>(first));
  if (!row.message.empty()) {  // of an item that has no child
    text += "; " + row.message;
  } else if (const auto& child = plan.snapshot.child(key)) {
    text += "; item " + std::to_string(first) + ": " + child.reason() + ": " + child.message();
  }
  return text;
}

const Child& child_of(const Plan& plan, std::size_t i, std::size_t item) {
  return plan.snapshot.child(item_key(plan.snapshot, plan.rows[i], i, static_cast<int>(item)));
}

bool is_over(const ItemPhases& items) {
  return items.count(ItemPhases::kPending) + items.count(ItemPhases::kRunning) == 0;
}

// When the last item ended, which is before anything began that waited for them all.
std::string end_of_items(const Plan& plan, std::size_t i, const ItemPhases& items) {
  std::optional<WallTime> last;
  for (std::size_t item = 0; item < items.size(); ++item) {
    const auto& child = child_of(plan, i, item);
    if (const auto ended = parse_time(child ? child.completed_at() : std::string())) {
      last = std::max(last.value_or(*ended), *ended);
    }
  }
  return last ? format_micro_time(*last) : plan.now;
}

// Now, unless the items prove that they started earlier.
std::string start_of_items(const Plan& plan, std::size_t i) {
  std::string first = plan.rows[i].started_at;
  const auto items = ItemPhases::parse(plan.rows[i].items).value_or(ItemPhases());
  for (std::size_t item = 0; item < items.size(); ++item) {
    const auto& child = child_of(plan, i, item);
    if (child && !child.meta().creation_timestamp.empty()) {
      first = std::min(first, child.meta().creation_timestamp);
    }
  }
  return first;
}

// An item that has no child has told the row why.
void end_fan_out(Plan& plan, std::size_t i, const ItemPhases& items) {
  auto& row = plan.rows[i];
  const auto ended_at = end_of_items(plan, i, items);
  const std::string reason = row.reason.empty() ? reason::kItemsFailed : row.reason;
  if (items.count(ItemPhases::kFailed) > 0 || !row.reason.empty()) {
    end_row(row, api::StepPhase::Failed, reason, describe_failure(plan, row, i, items), ended_at);
  } else if (items.count(ItemPhases::kCancelled) + items.count(ItemPhases::kSkipped) > 0) {
    end_row(row, api::StepPhase::Cancelled, reason::kCancelled, describe_failure(plan, row, i, items),
            ended_at);
  } else {
    end_row(row, api::StepPhase::Succeeded, "", std::to_string(items.size()) + " items", ended_at);
  }
}

void cancel_running(Plan& plan, std::size_t i, const ItemPhases& items, const Halt& halt) {
  for (std::size_t item = 0; item < items.size(); ++item) {
    if (items[item] == ItemPhases::kRunning) {
      plan.cancel(child_of(plan, i, item), halt.message, halt.compensate);
    }
  }
}

// Items that are runs have a time, and may have a further round.
void tend_runs(Plan& plan, std::size_t i, const ItemPhases& items) {
  const auto& step = plan.definition.step(i);
  if (!step.workflow || !(step.retry || step.timeout)) {
    return;
  }
  for (std::size_t item = 0; item < items.size(); ++item) {
    const auto& child = child_of(plan, i, item);
    if (items[item] != ItemPhases::kRunning || !child) {
      continue;
    }
    is_to_go_on(step, child) ? go_on(plan, i, child) : void(limit_time(plan, i, child));
  }
}

// Between two rounds, and between two iterations, there is nothing to cancel.
void end_waiting_items(Plan& plan, std::size_t i, const std::vector<std::size_t>& again, ItemPhases& items) {
  for (const auto item : again) {
    items.set(item, ItemPhases::kCancelled);
  }
  for (std::size_t item = 0; item < items.size(); ++item) {
    if (items[item] == ItemPhases::kRunning &&
        is_to_go_on(plan.definition.step(i), child_of(plan, i, item))) {
      items.set(item, ItemPhases::kFailed);
    }
  }
}

void end_the_rest(Plan& plan, std::size_t i, const std::vector<std::size_t>& again, const Halt& halt,
                  ItemPhases& items) {
  items.replace(ItemPhases::kPending, ItemPhases::kSkipped);
  end_waiting_items(plan, i, again, items);
  cancel_running(plan, i, items, halt);
}

// False: an item cannot be started at all.
bool start_items(Plan& plan, std::size_t i, ItemPhases& items) {
  const int limit = plan.definition.step(i).for_each->parallelism.value_or(plan.definition.spec.parallelism);
  auto running = static_cast<int>(items.count(ItemPhases::kRunning));
  if (items.count(ItemPhases::kPending) == 0 || running >= limit || !plan.has_room()) {
    return true;
  }
  const auto values = same_items(plan, i, items.size());
  if (!values) {
    explain_row(plan.rows[i], values.error().reason, values.error().message);
    return false;
  }
  for (auto item = items.first(ItemPhases::kPending);
       item < items.size() && running < limit && plan.has_room(); ++item) {
    const auto key = item_key(plan.snapshot, plan.rows[i], i, static_cast<int>(item));
    if (items[item] != ItemPhases::kPending || plan.held_back(key) != nullptr) {
      continue;
    }
    if (!start_item(plan, key, (*values)[item])) {
      items.set(item, ItemPhases::kFailed);
      return false;
    }
    items.set(item, ItemPhases::kRunning);
    ++running;
  }
  return true;
}

}  // namespace

void start_fan_out(Plan& plan, std::size_t i) {
  auto& row = plan.rows[i];
  const auto kept = ItemPhases::parse(row.items);
  if (row.items.empty() || !kept) {  // a retried step keeps the items that succeeded
    const auto items = expand_items(plan, i);
    if (!items) {
      return fail_row(plan, i, items.error());
    }
    row.items = ItemPhases(items->size()).text();
  }
  if (!plan.definition.step(i).repeat) {  // the visit of a state
    row.iteration = current_key(plan.snapshot, row, i).iteration;
  }
  start_row(row, plan.definition.step(i), "", plan.now);
  observe_row(plan.snapshot, row, i);  // the record of an earlier start may be lost
  row.started_at = start_of_items(plan, i);
  advance_fan_out(plan, i);
}

void advance_fan_out(Plan& plan, std::size_t i) {
  auto& row = plan.rows[i];
  auto items = ItemPhases::parse(row.items);
  if (!items) {
    return fail_row(plan, i, items.error().with_context("status.steps[" + row.name + "].items"));
  }
  auto again = judge_iterations(plan, i, *items);
  const bool goes_on = plan.definition.spec.on_failure == api::FailurePolicy::Continue;
  const auto failed = items->count(ItemPhases::kFailed) + items->count(ItemPhases::kCancelled);
  const bool startable =
      (failed == 0 || goes_on) && start_iterations(plan, i, again, *items) && start_items(plan, i, *items);
  if (startable) {
    tend_runs(plan, i, *items);
  } else {
    end_the_rest(plan, i, again, {reason::kItemsFailed, "another item of step " + row.name + " failed"},
                 *items);
  }
  record_items(plan, i, *items);
  if (is_over(*items)) {
    end_fan_out(plan, i, *items);
  }
}

void halt_fan_out(Plan& plan, std::size_t i, const Halt& halt) {
  auto& row = plan.rows[i];
  auto items = ItemPhases::parse(row.items).value_or(ItemPhases());
  const auto again = judge_iterations(plan, i, items);
  end_the_rest(plan, i, again, halt, items);
  record_items(plan, i, items);
  if (is_over(items)) {
    const bool by_itself =
        items.count(ItemPhases::kFailed) > 0 || items.count(ItemPhases::kSucceeded) == items.size();
    by_itself ? end_fan_out(plan, i, items)
              : end_row(row, api::StepPhase::Cancelled, halt.reason, "", plan.now);
  }
}

}  // namespace convoke::workflow
