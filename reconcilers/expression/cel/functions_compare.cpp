// compareTo(), isLessThan() and isGreaterThan() of quantities and versions.
#include "reconcilers/expression/cel/function.h"

namespace convoke::cel {
namespace {

template <class Finish>
Value compared(const Call& call, Finish finish) {
  const auto order = call.takes({Kind::Opaque, Kind::Opaque})
                         ? call[0].as_opaque().compare(call[1].as_opaque())
                         : std::nullopt;
  return order ? finish(*order) : call.no_overload();
}

Value compare_to(const Call& call) {
  return compared(call,
                  [](std::partial_ordering order) { return Value::from_int((order > 0) - (order < 0)); });
}
Value is_less(const Call& call) {
  return compared(call, [](std::partial_ordering order) { return Value::from_bool(order < 0); });
}
Value is_greater(const Call& call) {
  return compared(call, [](std::partial_ordering order) { return Value::from_bool(order > 0); });
}

constexpr Function kCompareFunctions[] = {
    {"compareTo", true, 2, 2, compare_to},
    {"isLessThan", true, 2, 2, is_less},
    {"isGreaterThan", true, 2, 2, is_greater},
};

}  // namespace

FunctionTable compare_functions() {
  return kCompareFunctions;
}

}  // namespace convoke::cel
