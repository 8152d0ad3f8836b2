#include "reconcilers/workflow/items.h"

#include <algorithm>
#include <utility>

#include "reconcilers/workflow/item_phases.h"
#include "reconcilers/workflow/reasons.h"

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

}  // namespace

Result<Json> expand_items(Plan& plan, std::size_t step) {
  const auto& rule = *plan.definition.step(step).for_each;
  if (rule.items.empty()) {
    return expand_range(plan, rule);
  }
  auto items = expand_part(plan, rule.items, "forEach.items");
  return items ? as_list(std::move(*items)) : items;
}

Result<Json> same_items(Plan& plan, std::size_t step, std::size_t count) {
  plan.scope().clear_locals();
  plan.scope().select_steps(plan.definition.used_steps[step]);
  auto items = expand_items(plan, step);
  if (items && items->size() != count) {
    return Error{
        ErrorCode::Invalid,
        "there were " + std::to_string(count) + " items, now there are " + std::to_string(items->size()),
        reason::kItemsChanged};
  }
  return items;
}

void set_item(Plan& plan, const ChildKey& key, const Json& value) {
  plan.scope().set_local(plan.definition.step(key.step).for_each->as, value);
  plan.scope().set_local("index", key.item);
  if (key.iteration > 0) {
    plan.scope().set_local("iteration", key.iteration);
  }
}

bool start_item(Plan& plan, const ChildKey& key, const Json& value) {
  set_item(plan, key, value);
  auto start = child_to_start(plan, key);
  if (!start) {
    explain_row(plan.rows[key.step], start.error().reason,
                "item " + std::to_string(key.item) + ": " + start.error().message);
    return false;
  }
  plan.start(std::move(*start));
  return true;
}

}  // namespace convoke::workflow
