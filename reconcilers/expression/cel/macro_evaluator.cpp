// The macros: loops over lists and maps, cel.bind, and those of optional values.
#include <utility>

#include "reconcilers/expression/cel/evaluator.h"

namespace convoke::cel {
namespace {

Value not_a_condition(const Node& condition, const Value& value) {
  return located(condition,
                 Value::failure("the condition of a macro is a bool, not " + std::string(value.type_name())));
}

}  // namespace

// What a macro goes through: the elements of a list, or the entries of a map in the order of their keys.
class Evaluator::Range {
 public:
  explicit Range(Value value) : value_(std::move(value)) {
    if (value_.is(Kind::Map)) {
      keys_.reserve(value_.size());
      value_.each_entry([&](const Value& key, const Value&) {
        keys_.push_back(key);
        return true;
      });
    }
  }

  std::size_t size() const { return value_.size(); }
  bool is_map() const { return value_.is(Kind::Map); }
  // The key of an entry, or the position of an element.
  Value key(std::size_t i) const {
    return is_map() ? keys_[i] : Value::from_int(static_cast<std::int64_t>(i));
  }
  Value value(std::size_t i) const { return is_map() ? *value_.find(keys_[i]) : value_.at(i); }

 private:
  Value value_;
  std::vector<Value> keys_;
};

// With one variable it is the element of a list or the key of a map; with two, position or key, and value.
void Evaluator::bind(const Node& node, const Range& range, std::size_t i) {
  if (node.slots.size() == 2) {
    locals_[node.slots[0]] = range.key(i);
    locals_[node.slots[1]] = range.value(i);
  } else {
    locals_[node.slots[0]] = range.is_map() ? range.key(i) : range.value(i);
  }
}

Value Evaluator::evaluate_macro(const Node& node) {
  switch (node.macro) {
    case Macro::Bind: {
      Value value = evaluate(*node.children[0]);
      if (value.is_failure()) {
        return value;
      }
      locals_[node.slots[0]] = std::move(value);
      return evaluate(*node.children[1]);
    }
    case Macro::OptionalMap:
    case Macro::OptionalFlatMap:
    case Macro::OptionalOr:
    case Macro::OptionalOrValue:
      return evaluate_optional_macro(node);
    default:
      return evaluate_range_macro(node);
  }
}

Value Evaluator::evaluate_optional_macro(const Node& node) {
  Value target = evaluate(*node.children[0]);
  if (target.is_failure()) {
    return target;
  }
  if (!target.is(Kind::Optional)) {
    return Value::failure(node.text + "() is of optional values only, not of a " +
                          std::string(target.type_name()));
  }
  auto inner = target.as_optional();
  const Node& body = *node.children[1];
  if (node.macro == Macro::OptionalOrValue) {
    return inner ? std::move(*inner) : evaluate(body);
  }
  if (node.macro == Macro::OptionalOr && inner) {
    return target;
  }
  if (node.macro != Macro::OptionalOr) {
    if (!inner) {
      return target;
    }
    locals_[node.slots[0]] = std::move(*inner);
  }
  Value result = evaluate(body);
  if (result.is_failure()) {
    return result;
  }
  if (node.macro == Macro::OptionalMap) {
    Value wrapped = Value::optional_of(std::move(result));
    return wrapped.depth() > kMaxValueDepth ? Value::failure("the optional value nests too deeply") : wrapped;
  }
  return result.is(Kind::Optional) ? result
                                   : Value::failure(node.text + "() needs an optional value as its argument");
}

Value Evaluator::evaluate_range_macro(const Node& node) {
  Value value = evaluate(*node.children[0]);
  if (value.is_failure()) {
    return value;
  }
  if (!value.is(Kind::List) && !value.is(Kind::Map)) {
    return Value::failure(node.text + "() goes through lists and maps, not through a " +
                          std::string(value.type_name()));
  }
  if (value.is(Kind::Map) && !budget_.spend(value.size())) {
    return too_expensive();
  }
  const Range range(std::move(value));
  switch (node.macro) {
    case Macro::All:
    case Macro::Exists:
      return evaluate_quantifier(node, range);
    case Macro::ExistsOne:
      return evaluate_exists_one(node, range);
    case Macro::TransformMap:
    case Macro::TransformMapEntry:
      return evaluate_map_macro(node, range);
    default:
      return evaluate_list_macro(node, range);
  }
}

// As && and || of all elements: one that decides is enough, even if another one fails.
Value Evaluator::evaluate_quantifier(const Node& node, const Range& range) {
  const bool deciding = node.macro == Macro::Exists;
  const Node& condition = *node.children[1];
  std::optional<Value> failed;
  for (std::size_t i = 0; i < range.size(); ++i) {
    bind(node, range, i);
    Value holds = evaluate(condition);
    if (budget_.is_exhausted()) {
      return too_expensive();
    }
    if (holds.is(Kind::Bool)) {
      if (holds.as_bool() == deciding) {
        return holds;
      }
    } else if (!failed) {
      failed = holds.is_failure() ? std::move(holds) : not_a_condition(condition, holds);
    }
  }
  return failed ? std::move(*failed) : Value::from_bool(!deciding);
}

Value Evaluator::evaluate_exists_one(const Node& node, const Range& range) {
  const Node& condition = *node.children[1];
  std::size_t found = 0;
  for (std::size_t i = 0; i < range.size(); ++i) {
    bind(node, range, i);
    Value holds = evaluate(condition);
    if (!holds.is(Kind::Bool)) {
      return holds.is_failure() ? holds : not_a_condition(condition, holds);
    }
    found += holds.as_bool() ? 1 : 0;
  }
  return Value::from_bool(found == 1);
}

Value Evaluator::is_selected(const Node& node) {
  const bool has_condition = node.macro == Macro::Filter || node.children.size() == 3;
  if (!has_condition) {
    return Value::from_bool(true);
  }
  Value holds = evaluate(*node.children[1]);
  return holds.is(Kind::Bool) || holds.is_failure() ? holds : not_a_condition(*node.children[1], holds);
}

Value Evaluator::evaluate_list_macro(const Node& node, const Range& range) {
  std::vector<Value> items;
  for (std::size_t i = 0; i < range.size(); ++i) {
    bind(node, range, i);
    Value selected = is_selected(node);
    if (selected.is_failure()) {
      return selected;
    }
    if (!selected.as_bool()) {
      continue;
    }
    Value item = node.macro == Macro::Filter ? locals_[node.slots[0]] : evaluate(*node.children.back());
    if (item.is_failure()) {
      return item;
    }
    items.push_back(std::move(item));
  }
  return finish_list(std::move(items));
}

// The entry or entries that one element of the range gives; a failure, or null.
Value Evaluator::add_entries(const Node& node, const Value& key,
                             std::vector<std::pair<Value, Value>>& entries) {
  Value made = evaluate(*node.children.back());
  if (made.is_failure()) {
    return made;
  }
  if (node.macro == Macro::TransformMap) {
    entries.emplace_back(key, std::move(made));
    return {};
  }
  if (!made.is(Kind::Map)) {
    return Value::failure("transformMapEntry() needs a map as its last argument");
  }
  if (!budget_.spend(made.size())) {
    return too_expensive();
  }
  made.each_entry([&](const Value& own_key, const Value& value) {
    entries.emplace_back(own_key, value);
    return true;
  });
  return {};
}

Value Evaluator::evaluate_map_macro(const Node& node, const Range& range) {
  std::vector<std::pair<Value, Value>> entries;
  for (std::size_t i = 0; i < range.size(); ++i) {
    bind(node, range, i);
    Value selected = is_selected(node);
    if (selected.is_failure()) {
      return selected;
    }
    if (!selected.as_bool()) {
      continue;
    }
    Value failed = add_entries(node, range.key(i), entries);
    if (failed.is_failure()) {
      return failed;
    }
  }
  const std::size_t made = entries.size();
  Value map = finish_map(std::move(entries));
  return map.is(Kind::Map) && map.size() != made ? Value::failure("a key is there twice in the map") : map;
}

}  // namespace convoke::cel
