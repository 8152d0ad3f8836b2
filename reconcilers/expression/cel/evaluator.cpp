#include "reconcilers/expression/cel/evaluator.h"

#include <array>
#include <utility>

#include "reconcilers/expression/cel/function.h"
#include "reconcilers/expression/cel/operators.h"

namespace convoke::cel {
namespace {

Value not_a_bool(const Value& value, const char* what) {
  return Value::failure(std::string(what) + " needs a bool, got " + std::string(value.type_name()));
}

}  // namespace

Value located(const Node& node, Value value) {
  if (!value.is_failure() || value.as_failure().offset) {
    return value;
  }
  Failure failure = value.as_failure();
  failure.offset = node.offset;
  return Value::from_failure(std::move(failure));
}

Value Evaluator::evaluate(const Node& node) {
  if (!budget_.spend()) {
    return fail_too_expensive(node);
  }
  Value value = evaluate_kind(node);
  // What was cut short may look like a result.
  return budget_.is_exhausted() ? fail_too_expensive(node) : located(node, std::move(value));
}

Value Evaluator::fail_too_expensive(const Node& node) const {
  return located(node, too_expensive());
}

Value Evaluator::evaluate_kind(const Node& node) {
  switch (node.kind) {
    case NodeKind::Literal:
      return node.value;
    case NodeKind::Name:
      return evaluate_name(node);
    case NodeKind::Local:
      return locals_[node.slots[0]];
    case NodeKind::Select:
      return evaluate_select(node);
    case NodeKind::Index:
      return evaluate_index(node);
    case NodeKind::Has:
      return evaluate_has(node);
    case NodeKind::Not:
    case NodeKind::Negate:
      return evaluate_unary(node);
    case NodeKind::Binary:
      return evaluate_binary(node);
    case NodeKind::And:
    case NodeKind::Or:
      return evaluate_logic(node);
    case NodeKind::Conditional:
      return evaluate_conditional(node);
    case NodeKind::List:
      return evaluate_list(node);
    case NodeKind::Map:
      return evaluate_map(node);
    case NodeKind::Call:
      return evaluate_call(node);
    case NodeKind::Macro:
      return evaluate_macro(node);
  }
  return {};
}

std::optional<Value> Evaluator::find_qualified(const Node& node) const {
  for (const auto& name : node.names) {
    if (auto found = variables_.find(name)) {
      return found;
    }
  }
  return std::nullopt;
}

Value Evaluator::evaluate_name(const Node& node) {
  if (auto found = node.names.empty() ? variables_.find(node.text) : find_qualified(node)) {
    return std::move(*found);
  }
  return node.value.is(Kind::Type)
             ? node.value
             : Value::failure("there is no name \"" + node.text + "\" here", kUnknownName);
}

Value Evaluator::evaluate_select(const Node& node) {
  if (!node.names.empty()) {
    if (auto found = find_qualified(node)) {
      return std::move(*found);
    }
  }
  const Value operand = evaluate(*node.children[0]);
  return operand.is_failure() ? operand : select_field(node, operand);
}

Value Evaluator::evaluate_index(const Node& node) {
  Value operand = evaluate(*node.children[0]);
  if (operand.is_failure()) {
    return operand;
  }
  const Value key = evaluate(*node.children[1]);
  return key.is_failure() ? key : index_into(node, operand, key);
}

Value Evaluator::evaluate_has(const Node& node) {
  Value operand = evaluate(*node.children[0]);
  while (operand.is(Kind::Optional)) {
    auto inner = operand.as_optional();
    if (!inner) {
      return Value::from_bool(false);
    }
    operand = std::move(*inner);
  }
  if (operand.is_failure()) {
    return operand;
  }
  if (!operand.is(Kind::Map)) {
    return Value::failure(path_text(*node.children[0]) + " is a " + std::string(operand.type_name()) +
                          " and has no fields");
  }
  return Value::from_bool(operand.find(std::string_view(node.text)).has_value());
}

Value Evaluator::evaluate_unary(const Node& node) {
  Value operand = evaluate(*node.children[0]);
  if (operand.is_failure()) {
    return operand;
  }
  if (node.kind == NodeKind::Negate) {
    return negate(operand);
  }
  return operand.is(Kind::Bool) ? Value::from_bool(!operand.as_bool()) : not_a_bool(operand, "\"!\"");
}

Value Evaluator::evaluate_binary(const Node& node) {
  Value left = evaluate(*node.children[0]);
  if (left.is_failure()) {
    return left;
  }
  const Value right = evaluate(*node.children[1]);
  return right.is_failure() ? right : apply(node.op, left, right, budget_);
}

// One operand that decides is enough, even if another one fails: false && FAILURE and FAILURE && false are
// false.
Value Evaluator::evaluate_logic(const Node& node) {
  const bool deciding = node.kind == NodeKind::Or;
  std::optional<Value> failed;
  for (const auto& child : node.children) {
    Value value = evaluate(*child);
    if (budget_.is_exhausted()) {
      return fail_too_expensive(node);
    }
    if (value.is(Kind::Bool)) {
      if (value.as_bool() == deciding) {
        return value;
      }
    } else if (!failed) {
      failed = value.is_failure() ? std::move(value)
                                  : located(*child, not_a_bool(value, deciding ? "\"||\"" : "\"&&\""));
    }
  }
  return failed ? std::move(*failed) : Value::from_bool(!deciding);
}

Value Evaluator::evaluate_conditional(const Node& node) {
  Value condition = evaluate(*node.children[0]);
  if (condition.is_failure()) {
    return condition;
  }
  if (!condition.is(Kind::Bool)) {
    return not_a_bool(condition, "the condition before \"?\"");
  }
  return evaluate(*node.children[condition.as_bool() ? 1 : 2]);
}

Value Evaluator::finish_list(std::vector<Value> items) {
  if (!budget_.produce(items.size() * Budget::kBytesPerElement)) {
    return too_expensive();
  }
  Value list = Value::from_list(std::move(items));
  return list.depth() > kMaxValueDepth ? Value::failure("the list nests too deeply") : list;
}

Value Evaluator::finish_map(std::vector<std::pair<Value, Value>> entries) {
  if (!budget_.produce(2 * entries.size() * Budget::kBytesPerElement)) {
    return too_expensive();
  }
  Value map = Value::from_map(std::move(entries));
  return map.depth() > kMaxValueDepth ? Value::failure("the map nests too deeply") : map;
}

Value Evaluator::evaluate_list(const Node& node) {
  std::vector<Value> items;
  items.reserve(node.children.size());
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    Value item = evaluate(*node.children[i]);
    if (item.is_failure()) {
      return item;
    }
    if (!node.optionals[i]) {
      items.push_back(std::move(item));
      continue;
    }
    if (!item.is(Kind::Optional)) {
      return located(*node.children[i], Value::failure("[?x] needs an optional value"));
    }
    if (auto inner = item.as_optional()) {
      items.push_back(std::move(*inner));
    }
  }
  return finish_list(std::move(items));
}

Value Evaluator::evaluate_map(const Node& node) {
  std::vector<std::pair<Value, Value>> entries;
  entries.reserve(node.optionals.size());
  for (std::size_t i = 0; i < node.optionals.size(); ++i) {
    const Node& key_node = *node.children[2 * i];
    Value key = evaluate(key_node);
    if (key.is_failure()) {
      return key;
    }
    if (!is_key(key)) {
      return located(key_node,
                     Value::failure("a " + std::string(key.type_name()) + " cannot be the key of a map"));
    }
    Value value = evaluate(*node.children[2 * i + 1]);
    if (value.is_failure()) {
      return value;
    }
    if (node.optionals[i]) {
      if (!value.is(Kind::Optional)) {
        return located(key_node, Value::failure("{?key: value} needs an optional value"));
      }
      auto inner = value.as_optional();
      if (!inner) {
        continue;
      }
      value = std::move(*inner);
    }
    entries.emplace_back(std::move(key), std::move(value));
  }
  const std::size_t written = entries.size();
  Value map = finish_map(std::move(entries));
  return map.is(Kind::Map) && map.size() != written ? Value::failure("a key is there twice in the map") : map;
}

Value Evaluator::evaluate_call(const Node& node) {
  constexpr std::size_t kUsualArguments = 3;
  std::array<Value, kUsualArguments> few;
  std::vector<Value> many(node.children.size() > kUsualArguments ? node.children.size() : 0);
  const std::span<Value> args =
      many.empty() ? std::span<Value>(few).first(node.children.size()) : std::span<Value>(many);
  for (std::size_t i = 0; i < args.size(); ++i) {
    args[i] = evaluate(*node.children[i]);
    if (args[i].is_failure()) {
      return args[i];
    }
  }
  const Call call{args, budget_, node};
  return node.function == nullptr ? call.no_overload() : node.function->call(call);
}

}  // namespace convoke::cel
