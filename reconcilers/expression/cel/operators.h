// Equality, order and arithmetic of values. Pure but for the budget. Internal to this folder.
#pragma once

#include <compare>
#include <optional>

#include "reconcilers/expression/cel/budget.h"
#include "reconcilers/expression/cel/node.h"
#include "reconcilers/expression/cel/value.h"

namespace convoke::cel {

// Values of different kinds are unequal, but numbers are compared by value. False once the budget is
// exhausted.
bool are_equal(const Value& a, const Value& b, Budget& budget);

// The order of two numbers, texts, bytes, booleans, durations or timestamps; nothing if there is no order
// between such values; unordered with NaN.
std::optional<std::partial_ordering> compare(const Value& a, const Value& b, Budget& budget);

// a op b for every operator; neither operand is a failure.
Value apply(Operator op, const Value& a, const Value& b, Budget& budget);
Value negate(const Value& operand);
const char* operator_text(Operator op);

}  // namespace convoke::cel
