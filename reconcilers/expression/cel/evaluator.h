// Walks the tree. One object for each evaluation, used by one thread. Internal to this folder.
#pragma once

#include <vector>

#include "reconcilers/expression/cel/budget.h"
#include "reconcilers/expression/cel/cel.h"
#include "reconcilers/expression/cel/node.h"

namespace convoke::cel {

class Evaluator {
 public:
  Evaluator(const Activation& variables, const Limits& limits, std::size_t slots)
      : variables_(variables), budget_(limits), locals_(slots) {}

  // A value or a failure; a failure knows where it happened.
  Value evaluate(const Node& node);
  Limits left() const { return budget_.left(); }

 private:
  Value evaluate_kind(const Node& node);
  Value evaluate_name(const Node& node);
  std::optional<Value> find_qualified(const Node& node) const;
  Value evaluate_select(const Node& node);
  Value evaluate_index(const Node& node);
  Value evaluate_has(const Node& node);
  Value evaluate_unary(const Node& node);
  Value evaluate_binary(const Node& node);
  Value evaluate_logic(const Node& node);
  Value evaluate_conditional(const Node& node);
  Value evaluate_list(const Node& node);
  Value evaluate_map(const Node& node);
  Value evaluate_call(const Node& node);

  // In macro_evaluator.cpp:
  class Range;
  Value evaluate_macro(const Node& node);
  Value evaluate_range_macro(const Node& node);
  Value evaluate_optional_macro(const Node& node);
  Value evaluate_quantifier(const Node& node, const Range& range);
  Value evaluate_exists_one(const Node& node, const Range& range);
  Value evaluate_list_macro(const Node& node, const Range& range);
  Value evaluate_map_macro(const Node& node, const Range& range);
  void bind(const Node& node, const Range& range, std::size_t i);
  // Whether the element is wanted, by the condition of a macro that has one; or a failure.
  Value is_selected(const Node& node);
  Value add_entries(const Node& node, const Value& key, std::vector<std::pair<Value, Value>>& entries);

  Value finish_list(std::vector<Value> items);
  Value finish_map(std::vector<std::pair<Value, Value>> entries);
  Value fail_too_expensive(const Node& node) const;

  const Activation& variables_;
  Budget budget_;
  std::vector<Value> locals_;
};

// `value` itself, or, if it is a failure that does not know where it happened, one that happened at `node`.
Value located(const Node& node, Value value);

// operand.field and operand[key], or the optional forms of them. `path` is made when a message needs it.
Value select_field(const Node& node, const Value& operand);
Value index_into(const Node& node, const Value& operand, const Value& key);
// The text of a chain of names, for messages: "steps.build.outputs".
std::string path_text(const Node& node);

}  // namespace convoke::cel
