#include "reconcilers/workflow/fan_out.h"

#include <algorithm>
#include <utility>

#include "reconcilers/workflow/item_phases.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/step_result.h"
#include "reconcilers/workflow/sub_run.h"

namespace convoke::workflow {
namespace {

constexpr std::size_t kMaxItemsBytes = 4 * 1024 * 1024;

Error too_many(std::size_t count) {
  return {ErrorCode::Invalid,
          "forEach: " + std::to_string(count) + " items; at most " + std::to_string(kMaxItems) + " are run",
          reason::kTooManyItems};
}

Error wrong_type(const std::string& what) {
  return {ErrorCode::Invalid, "forEach: " + what, reason::kWrongType};
}

Result<Json> expand_part(Plan& plan, const api::RawJson& text, const std::string& where) {
  const auto value = parse_json(text);
  return value ? expression::expand(*value, plan.scope(), where, kMaxItemsBytes) : value;
}

Result<Json> expand_range(Plan& plan, const api::ForEach& rule) {
  const auto from = expand_part(plan, rule.range_from, "forEach.range.from");
  const auto to = from ? expand_part(plan, rule.range_to, "forEach.range.to") : from;
  if (!to) {
    return to.error();
  }
  if (!from->is_number_integer() || !to->is_number_integer()) {
    return wrong_type("range.from and range.to are whole numbers");
  }
  const auto first = from->get<std::int64_t>();
  const auto last = to->get<std::int64_t>();
  Json items = Json::array();
  if (first > last) {
    return items;
  }
  const auto count = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first);
  if (count >= kMaxItems) {
    return too_many(static_cast<std::size_t>(std::min<std::uint64_t>(count, UINT64_MAX - 1)) + 1);
  }
  for (std::int64_t i = first; i <= last; ++i) {
    items.push_back(i);
  }
  return items;
}

Result<Json> as_list(Json items) {
  if (items.is_object()) {
    Json list = Json::array();
    for (auto& [key, value] : items.items()) {
      list.push_back({{"key", key}, {"value", std::move(value)}});
    }
    items = std::move(list);
  }
  if (!items.is_array()) {
    return wrong_type(std::string("items is a list or a map, got ") + items.type_name());
  }
  return items.size() > kMaxItems ? Result<Json>(too_many(items.size())) : std::move(items);
}

void select_names(Plan& plan, std::size_t i) {
  plan.scope().clear_locals();
  plan.scope().select_steps(plan.definition.used_steps[i]);
}

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
  const ChildKey key{i, static_cast<int>(first), 0, row.round, false};
  if (!row.message.empty()) {  // of an item that has no child
    text += "; " + row.message;
  } else if (const auto& child = plan.snapshot.child(key)) {
    text += "; item " + std::to_string(first) + ": " + child.reason() + ": " + child.message();
  }
  return text;
}

bool is_over(const ItemPhases& items) {
  return items.count(ItemPhases::kPending) + items.count(ItemPhases::kRunning) == 0;
}

// An item that has no child has told the row why.
void end_fan_out(Plan& plan, std::size_t i, const ItemPhases& items) {
  auto& row = plan.rows[i];
  const std::string reason = row.reason.empty() ? reason::kItemsFailed : row.reason;
  if (items.count(ItemPhases::kFailed) > 0 || !row.reason.empty()) {
    end_row(row, api::StepPhase::Failed, reason, describe_failure(plan, row, i, items), plan.now);
  } else if (items.count(ItemPhases::kCancelled) + items.count(ItemPhases::kSkipped) > 0) {
    end_row(row, api::StepPhase::Cancelled, reason::kCancelled, describe_failure(plan, row, i, items),
            plan.now);
  } else {
    end_row(row, api::StepPhase::Succeeded, "", std::to_string(items.size()) + " items", plan.now);
  }
}

void cancel_running(Plan& plan, std::size_t i, const ItemPhases& items, const Halt& halt) {
  for (std::size_t item = 0; item < items.size(); ++item) {
    if (items[item] == ItemPhases::kRunning) {
      plan.cancel(plan.snapshot.child({i, static_cast<int>(item), 0, plan.rows[i].round, false}),
                  halt.message, halt.compensate);
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
    const ChildKey key{i, static_cast<int>(item), 0, plan.rows[i].round, false};
    const auto& child = plan.snapshot.child(key);
    if (items[item] != ItemPhases::kRunning || !child) {
      continue;
    }
    is_to_go_on(step, child) ? go_on(plan, i, child) : void(limit_time(plan, i, child));
  }
}

// Between two rounds there is nothing to cancel.
void end_waiting_items(Plan& plan, std::size_t i, ItemPhases& items) {
  for (std::size_t item = 0; item < items.size(); ++item) {
    const ChildKey key{i, static_cast<int>(item), 0, plan.rows[i].round, false};
    if (items[item] == ItemPhases::kRunning &&
        is_to_go_on(plan.definition.step(i), plan.snapshot.child(key))) {
      items.set(item, ItemPhases::kFailed);
    }
  }
}

// Starts one item. False: its child cannot be made; the row says why.
bool start_item(Plan& plan, std::size_t i, std::size_t item, const Json& value) {
  const auto& rule = *plan.definition.step(i).for_each;
  plan.scope().set_local(rule.as, value);
  plan.scope().set_local("index", item);
  auto start = child_to_start(plan, {i, static_cast<int>(item), 0, plan.rows[i].round, false});
  if (!start) {
    explain_row(plan.rows[i], start.error().reason,
                "item " + std::to_string(item) + ": " + start.error().message);
    return false;
  }
  plan.start(std::move(*start));
  return true;
}

// False: an item cannot be started at all.
bool start_items(Plan& plan, std::size_t i, ItemPhases& items) {
  const int limit = plan.definition.step(i).for_each->parallelism.value_or(plan.definition.spec.parallelism);
  auto running = static_cast<int>(items.count(ItemPhases::kRunning));
  if (items.count(ItemPhases::kPending) == 0 || running >= limit || !plan.has_room()) {
    return true;
  }
  select_names(plan, i);
  const auto values = expand_items(plan, i);
  if (!values || values->size() != items.size()) {
    explain_row(plan.rows[i], values ? reason::kItemsChanged : values.error().reason,
                values ? "there were " + std::to_string(items.size()) + " items, now there are " +
                             std::to_string(values->size())
                       : values.error().message);
    return false;
  }
  for (auto item = items.first(ItemPhases::kPending);
       item < items.size() && running < limit && plan.has_room(); item = items.first(ItemPhases::kPending)) {
    if (!start_item(plan, i, item, (*values)[item])) {
      items.set(item, ItemPhases::kFailed);
      return false;
    }
    items.set(item, ItemPhases::kRunning);
    ++running;
  }
  return true;
}

}  // namespace

Result<Json> expand_items(Plan& plan, std::size_t step) {
  const auto& rule = *plan.definition.step(step).for_each;
  if (rule.items.empty()) {
    return expand_range(plan, rule);
  }
  auto items = expand_part(plan, rule.items, "forEach.items");
  return items ? as_list(std::move(*items)) : items;
}

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
  start_row(row, plan.definition.step(i), "", plan.now);
  observe_row(plan.snapshot, row, i);  // the record of an earlier start may be lost
  advance_fan_out(plan, i);
}

void advance_fan_out(Plan& plan, std::size_t i) {
  auto& row = plan.rows[i];
  auto items = ItemPhases::parse(row.items);
  if (!items) {
    return fail_row(plan, i, items.error().with_context("status.steps[" + row.name + "].items"));
  }
  const bool goes_on = plan.definition.spec.on_failure == api::FailurePolicy::Continue;
  const auto failed = items->count(ItemPhases::kFailed) + items->count(ItemPhases::kCancelled);
  const bool startable = (failed == 0 || goes_on) && start_items(plan, i, *items);
  if (startable) {
    tend_runs(plan, i, *items);
  } else {
    items->replace(ItemPhases::kPending, ItemPhases::kSkipped);
    end_waiting_items(plan, i, *items);
    cancel_running(plan, i, *items, {reason::kItemsFailed, "another item of step " + row.name + " failed"});
  }
  row.items = items->text();
  if (is_over(*items)) {
    end_fan_out(plan, i, *items);
  }
}

void halt_fan_out(Plan& plan, std::size_t i, const Halt& halt) {
  auto& row = plan.rows[i];
  auto items = ItemPhases::parse(row.items).value_or(ItemPhases());
  items.replace(ItemPhases::kPending, ItemPhases::kSkipped);
  end_waiting_items(plan, i, items);
  cancel_running(plan, i, items, halt);
  row.items = items.text();
  if (is_over(items)) {
    items.count(ItemPhases::kFailed) > 0 ? end_fan_out(plan, i, items)
                                         : end_row(row, api::StepPhase::Cancelled, halt.reason, "", plan.now);
  }
}

}  // namespace convoke::workflow
