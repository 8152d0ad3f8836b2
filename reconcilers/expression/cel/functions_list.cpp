// Functions of lists, and sets, which are lists.
#include <algorithm>

#include "reconcilers/expression/cel/function.h"
#include "reconcilers/expression/cel/operators.h"

namespace convoke::cel {
namespace {

Value not_comparable(const Value& a, const Value& b) {
  return Call::error("there is no order between " + std::string(a.type_name()) + " and " +
                     std::string(b.type_name()));
}

Value is_sorted(const Call& call) {
  if (!call[0].is(Kind::List)) {
    return call.no_overload();
  }
  for (std::size_t i = 1; i < call[0].size(); ++i) {
    const Value before = call[0].at(i - 1);
    const Value item = call[0].at(i);
    const auto order = call.budget.spend() ? compare(before, item, call.budget) : std::nullopt;
    if (!order) {
      return call.budget.is_exhausted() ? too_expensive() : not_comparable(before, item);
    }
    if (!(*order <= 0)) {
      return Value::from_bool(false);
    }
  }
  return Value::from_bool(true);
}

Value sum(const Call& call) {
  if (!call[0].is(Kind::List)) {
    return call.no_overload();
  }
  Value total = Value::from_int(0);
  for (std::size_t i = 0; i < call[0].size(); ++i) {
    if (!call.budget.spend()) {
      return too_expensive();
    }
    const Value item = call[0].at(i);
    if (!item.is_number() && !item.is(Kind::Duration)) {
      return Call::error("sum() adds numbers or durations; element " + std::to_string(i) + " is a " +
                         std::string(item.type_name()));
    }
    total = i == 0 ? item : apply(Operator::Add, total, item, call.budget);
    if (total.is_failure()) {
      return total;
    }
  }
  return total;
}

// The element that no other one is before, in the order or against it.
Value extreme_of(const Call& call, bool is_largest) {
  if (!call[0].is(Kind::List)) {
    return call.no_overload();
  }
  if (call[0].size() == 0) {
    return Call::error(call.node.text + "() of an empty list");
  }
  Value best = call[0].at(0);
  for (std::size_t i = 1; i < call[0].size(); ++i) {
    const Value item = call[0].at(i);
    const auto order = call.budget.spend() ? compare(item, best, call.budget) : std::nullopt;
    if (!order) {
      return call.budget.is_exhausted() ? too_expensive() : not_comparable(best, item);
    }
    if (is_largest ? *order > 0 : *order < 0) {
      best = item;
    }
  }
  return best;
}

Value smallest(const Call& call) {
  return extreme_of(call, false);
}
Value largest(const Call& call) {
  return extreme_of(call, true);
}

Value index_of(const Call& call) {
  if (!call[0].is(Kind::List) || call.size() != 2) {
    return text_index_of(call);
  }
  for (std::size_t i = 0; i < call[0].size() && !call.budget.is_exhausted(); ++i) {
    if (are_equal(call[0].at(i), call[1], call.budget)) {
      return Value::from_int(static_cast<std::int64_t>(i));
    }
  }
  return Value::from_int(-1);
}

Value last_index_of(const Call& call) {
  if (!call[0].is(Kind::List) || call.size() != 2) {
    return text_last_index_of(call);
  }
  for (std::size_t i = call[0].size(); i > 0 && !call.budget.is_exhausted(); --i) {
    if (are_equal(call[0].at(i - 1), call[1], call.budget)) {
      return Value::from_int(static_cast<std::int64_t>(i - 1));
    }
  }
  return Value::from_int(-1);
}

bool holds(const Value& list, const Value& wanted, Budget& budget) {
  for (std::size_t i = 0; i < list.size() && !budget.is_exhausted(); ++i) {
    if (are_equal(list.at(i), wanted, budget)) {
      return true;
    }
  }
  return false;
}

bool holds_all(const Value& list, const Value& wanted, Budget& budget) {
  for (std::size_t i = 0; i < wanted.size() && !budget.is_exhausted(); ++i) {
    if (!holds(list, wanted.at(i), budget)) {
      return false;
    }
  }
  return true;
}

Value set_contains(const Call& call) {
  return call.takes({Kind::List, Kind::List}) ? Value::from_bool(holds_all(call[0], call[1], call.budget))
                                              : call.no_overload();
}

Value set_equivalent(const Call& call) {
  return call.takes({Kind::List, Kind::List}) ? Value::from_bool(holds_all(call[0], call[1], call.budget) &&
                                                                 holds_all(call[1], call[0], call.budget))
                                              : call.no_overload();
}

Value set_intersects(const Call& call) {
  if (!call.takes({Kind::List, Kind::List})) {
    return call.no_overload();
  }
  for (std::size_t i = 0; i < call[1].size() && !call.budget.is_exhausted(); ++i) {
    if (holds(call[0], call[1].at(i), call.budget)) {
      return Value::from_bool(true);
    }
  }
  return Value::from_bool(false);
}

Value distinct(const Call& call) {
  if (!call[0].is(Kind::List)) {
    return call.no_overload();
  }
  std::vector<Value> items;
  for (std::size_t i = 0; i < call[0].size() && !call.budget.is_exhausted(); ++i) {
    const Value item = call[0].at(i);
    const bool is_known = std::any_of(
        items.begin(), items.end(), [&](const Value& known) { return are_equal(known, item, call.budget); });
    if (!is_known) {
      items.push_back(item);
    }
  }
  return call.list(std::move(items));
}

Value sort(const Call& call) {
  if (!call[0].is(Kind::List)) {
    return call.no_overload();
  }
  std::vector<Value> items;
  for (std::size_t i = 0; i < call[0].size(); ++i) {
    items.push_back(call[0].at(i));
    const auto order = compare(items.front(), items.back(), call.budget);
    if (!order || *order == std::partial_ordering::unordered) {
      return not_comparable(items.front(), items.back());
    }
  }
  if (!call.budget.spend(items.size())) {
    return too_expensive();
  }
  // All are comparable with the first one, and so, being of one kind or all numbers, with each other.
  std::stable_sort(items.begin(), items.end(), [&](const Value& a, const Value& b) {
    call.budget.spend();
    const auto order = compare(a, b, call.budget);
    return order && *order < 0;
  });
  return call.list(std::move(items));
}

Value slice(const Call& call) {
  if (!call.takes({Kind::List, Kind::Int, Kind::Int})) {
    return call.no_overload();
  }
  const std::int64_t begin = call[1].as_int();
  const std::int64_t end = call[2].as_int();
  if (begin < 0 || end < begin || std::cmp_greater(end, call[0].size())) {
    return Call::error("a slice is from 0 at least to the size of the list at most, and not backwards");
  }
  std::vector<Value> items;
  for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
    items.push_back(call[0].at(i));
  }
  return call.list(std::move(items));
}

// Appends the elements of `list`, and of the lists in it down to `depth`. False once the budget is exhausted.
bool flatten_into(const Value& list, std::int64_t depth, std::vector<Value>& items, Budget& budget) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!budget.spend()) {
      return false;
    }
    Value item = list.at(i);
    if (!item.is(Kind::List) || depth == 0) {
      items.push_back(std::move(item));
    } else if (!flatten_into(item, depth - 1, items, budget)) {
      return false;
    }
  }
  return true;
}

Value flatten(const Call& call) {
  if (!call.takes({Kind::List}) && !call.takes({Kind::List, Kind::Int})) {
    return call.no_overload();
  }
  const std::int64_t depth = call.size() == 2 ? call[1].as_int() : 1;
  if (depth < 0 || depth > kMaxValueDepth) {
    return Call::error("flatten() goes down 0 to " + std::to_string(kMaxValueDepth) + " levels");
  }
  std::vector<Value> items;
  return flatten_into(call[0], depth, items, call.budget) ? call.list(std::move(items)) : too_expensive();
}

Value range(const Call& call) {
  if (!call[0].is(Kind::Int)) {
    return call.no_overload();
  }
  const std::int64_t size = std::max<std::int64_t>(call[0].as_int(), 0);
  if (!call.budget.spend(static_cast<std::uint64_t>(size))) {
    return too_expensive();
  }
  std::vector<Value> items;
  for (std::int64_t i = 0; i < size; ++i) {
    items.push_back(Value::from_int(i));
  }
  return call.list(std::move(items));
}

constexpr Function kListFunctions[] = {
    {"isSorted", true, 1, 1, is_sorted},
    {"sum", true, 1, 1, sum},
    {"min", true, 1, 1, smallest},
    {"max", true, 1, 1, largest},
    {"indexOf", true, 2, 3, index_of},
    {"lastIndexOf", true, 2, 3, last_index_of},
    {"distinct", true, 1, 1, distinct},
    {"sort", true, 1, 1, sort},
    {"slice", true, 3, 3, slice},
    {"flatten", true, 1, 2, flatten},
    {"lists.range", false, 1, 1, range},
    {"sets.contains", false, 2, 2, set_contains},
    {"sets.equivalent", false, 2, 2, set_equivalent},
    {"sets.intersects", false, 2, 2, set_intersects},
};

}  // namespace

FunctionTable list_functions() {
  return kListFunctions;
}

}  // namespace convoke::cel
