// Quantities: quantity("1.5Gi").isGreaterThan(quantity("200M")).
#include "reconcilers/expression/cel/function.h"
#include "reconcilers/expression/cel/opaque.h"
#include "reconcilers/expression/cel/quantity.h"

namespace convoke::cel {
namespace {

struct QuantityTraits {
  using Type = Quantity;
  static constexpr std::string_view kName = "kubernetes.Quantity";
  static std::string text(const Quantity& quantity) { return quantity_text(quantity); }
};
using QuantityValue = OpaqueOf<QuantityTraits>;

Value quantity(const Call& call) {
  if (!call[0].is(Kind::String)) {
    return call.no_overload();
  }
  const auto parsed = parse_quantity(call[0].as_text());
  return parsed ? QuantityValue::make(*parsed)
                : Call::error("the text is no quantity such as \"1.5Gi\" or \"100m\"");
}

Value is_quantity(const Call& call) {
  return call[0].is(Kind::String) ? Value::from_bool(parse_quantity(call[0].as_text()).has_value())
                                  : call.no_overload();
}

// `finish` of a quantity.
template <class Finish>
Value of_one(const Call& call, Finish finish) {
  const Quantity* own = QuantityValue::get(call[0]);
  return own != nullptr ? finish(*own) : call.no_overload();
}

// The second operand of add() and sub() may be an int.
template <class Finish>
Value of_two(const Call& call, Finish finish) {
  const Quantity* a = QuantityValue::get(call[0]);
  const Quantity* b = QuantityValue::get(call[1]);
  if (a == nullptr || (b == nullptr && !call[1].is(Kind::Int))) {
    return call.no_overload();
  }
  return finish(*a, b != nullptr ? *b : Quantity{Quantity::Amount(call[1].as_int()) * 1'000'000'000});
}

Value or_overflow(const std::optional<Quantity>& result) {
  return result ? QuantityValue::make(*result) : Call::error("the quantity is out of range");
}

Value sign_of(const Call& call) {
  return of_one(call, [](const Quantity& q) { return Value::from_int((q.nanos > 0) - (q.nanos < 0)); });
}
Value is_integer(const Call& call) {
  return of_one(call, [](const Quantity& q) { return Value::from_bool(whole_units(q).has_value()); });
}
Value as_integer(const Call& call) {
  return of_one(call, [](const Quantity& q) {
    const auto units = whole_units(q);
    return units ? Value::from_int(*units) : Call::error("the quantity is no integer");
  });
}
Value as_float(const Call& call) {
  return of_one(call, [](const Quantity& q) { return Value::from_double(approximate(q)); });
}
Value added(const Call& call) {
  return of_two(call, [](const Quantity& a, const Quantity& b) { return or_overflow(add(a, b)); });
}
Value difference(const Call& call) {
  return of_two(call, [](const Quantity& a, const Quantity& b) { return or_overflow(subtract(a, b)); });
}

constexpr Function kQuantityFunctions[] = {
    {"quantity", false, 1, 1, quantity},
    {"isQuantity", false, 1, 1, is_quantity},
    {"isInteger", true, 1, 1, is_integer},
    {"asInteger", true, 1, 1, as_integer},
    {"asApproximateFloat", true, 1, 1, as_float},
    {"sign", true, 1, 1, sign_of},
    {"add", true, 2, 2, added},
    {"sub", true, 2, 2, difference},
};

}  // namespace

FunctionTable quantity_functions() {
  return kQuantityFunctions;
}

}  // namespace convoke::cel
