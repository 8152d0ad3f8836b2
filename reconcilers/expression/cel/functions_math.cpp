// Mathematics.
#include <cmath>

#include "reconcilers/expression/cel/function.h"
#include "reconcilers/expression/cel/operators.h"

namespace convoke::cel {
namespace {

constexpr std::int64_t kBits = 64;

// The largest or the smallest of the arguments, or of the elements of the only argument.
Value extreme(const Call& call, bool is_largest) {
  const bool is_list = call.size() == 1 && call[0].is(Kind::List);
  const std::size_t count = is_list ? call[0].size() : call.size();
  if (count == 0) {
    return Call::error(call.node.text + "() of an empty list");
  }
  Value best;
  for (std::size_t i = 0; i < count; ++i) {
    Value item = is_list ? call[0].at(i) : call[i];
    if (!item.is_number()) {
      return Call::error(call.node.text + "() compares numbers, not a " + std::string(item.type_name()));
    }
    if (!call.budget.spend()) {
      return too_expensive();
    }
    const bool is_better = i == 0 || (is_largest ? *compare(item, best, call.budget) > 0
                                                 : *compare(item, best, call.budget) < 0);
    if (is_better) {
      best = std::move(item);
    }
  }
  return best;
}

Value greatest(const Call& call) {
  return extreme(call, true);
}
Value least(const Call& call) {
  return extreme(call, false);
}

template <double (*change)(double)>
Value of_double(const Call& call) {
  return call[0].is(Kind::Double) ? Value::from_double(change(call[0].as_double())) : call.no_overload();
}

template <bool (*test)(double)>
Value test_double(const Call& call) {
  return call[0].is(Kind::Double) ? Value::from_bool(test(call[0].as_double())) : call.no_overload();
}

double ceiling(double value) {
  return std::ceil(value);
}
double floor_of(double value) {
  return std::floor(value);
}
double rounded(double value) {
  return std::round(value);
}
double truncated(double value) {
  return std::trunc(value);
}
bool is_nan(double value) {
  return std::isnan(value);
}
bool is_infinite(double value) {
  return std::isinf(value);
}
bool is_finite(double value) {
  return std::isfinite(value);
}

Value absolute(const Call& call) {
  switch (call[0].kind()) {
    case Kind::Uint:
      return call[0];
    case Kind::Double:
      return Value::from_double(std::fabs(call[0].as_double()));
    case Kind::Int:
      return call[0].as_int() < 0 ? negate(call[0]) : call[0];
    default:
      return call.no_overload();
  }
}

Value sign(const Call& call) {
  switch (call[0].kind()) {
    case Kind::Uint:
      return Value::from_uint(call[0].as_uint() > 0 ? 1 : 0);
    case Kind::Int:
      return Value::from_int((call[0].as_int() > 0) - (call[0].as_int() < 0));
    case Kind::Double: {
      const double value = call[0].as_double();
      return Value::from_double(std::isnan(value) ? value : static_cast<double>((value > 0) - (value < 0)));
    }
    default:
      return call.no_overload();
  }
}

Value square_root(const Call& call) {
  switch (call[0].kind()) {
    case Kind::Uint:
      return Value::from_double(std::sqrt(static_cast<double>(call[0].as_uint())));
    case Kind::Int:
      return Value::from_double(std::sqrt(static_cast<double>(call[0].as_int())));
    case Kind::Double:
      return Value::from_double(std::sqrt(call[0].as_double()));
    default:
      return call.no_overload();
  }
}

template <class Combine>
Value bitwise(const Call& call, Combine combine) {
  if (call.takes({Kind::Uint, Kind::Uint})) {
    return Value::from_uint(combine(call[0].as_uint(), call[1].as_uint()));
  }
  if (call.takes({Kind::Int, Kind::Int})) {
    return Value::from_int(static_cast<std::int64_t>(
        combine(static_cast<std::uint64_t>(call[0].as_int()), static_cast<std::uint64_t>(call[1].as_int()))));
  }
  return call.no_overload();
}

Value bit_and(const Call& call) {
  return bitwise(call, [](std::uint64_t a, std::uint64_t b) { return a & b; });
}
Value bit_or(const Call& call) {
  return bitwise(call, [](std::uint64_t a, std::uint64_t b) { return a | b; });
}
Value bit_xor(const Call& call) {
  return bitwise(call, [](std::uint64_t a, std::uint64_t b) { return a ^ b; });
}

Value bit_not(const Call& call) {
  if (call[0].is(Kind::Uint)) {
    return Value::from_uint(~call[0].as_uint());
  }
  return call[0].is(Kind::Int) ? Value::from_int(~call[0].as_int()) : call.no_overload();
}

// Zeros come in from both sides, also for a negative int.
Value shift(const Call& call, bool is_left) {
  if (!call.takes({Kind::Int, Kind::Int}) && !call.takes({Kind::Uint, Kind::Int})) {
    return call.no_overload();
  }
  const std::int64_t by = call[1].as_int();
  if (by < 0) {
    return Call::error("a shift goes by 0 bits or more");
  }
  const bool is_int = call[0].is(Kind::Int);
  const std::uint64_t bits = is_int ? static_cast<std::uint64_t>(call[0].as_int()) : call[0].as_uint();
  const std::uint64_t shifted = by >= kBits ? 0 : is_left ? bits << by : bits >> by;
  return is_int ? Value::from_int(static_cast<std::int64_t>(shifted)) : Value::from_uint(shifted);
}

Value shift_left(const Call& call) {
  return shift(call, true);
}
Value shift_right(const Call& call) {
  return shift(call, false);
}

constexpr Function kMathFunctions[] = {
    {"math.greatest", false, 1, kAnyNumber, greatest},
    {"math.least", false, 1, kAnyNumber, least},
    {"math.ceil", false, 1, 1, of_double<ceiling>},
    {"math.floor", false, 1, 1, of_double<floor_of>},
    {"math.round", false, 1, 1, of_double<rounded>},
    {"math.trunc", false, 1, 1, of_double<truncated>},
    {"math.isNaN", false, 1, 1, test_double<is_nan>},
    {"math.isInf", false, 1, 1, test_double<is_infinite>},
    {"math.isFinite", false, 1, 1, test_double<is_finite>},
    {"math.abs", false, 1, 1, absolute},
    {"math.sign", false, 1, 1, sign},
    {"math.sqrt", false, 1, 1, square_root},
    {"math.bitAnd", false, 2, 2, bit_and},
    {"math.bitOr", false, 2, 2, bit_or},
    {"math.bitXor", false, 2, 2, bit_xor},
    {"math.bitNot", false, 1, 1, bit_not},
    {"math.bitShiftLeft", false, 2, 2, shift_left},
    {"math.bitShiftRight", false, 2, 2, shift_right},
};

}  // namespace

FunctionTable math_functions() {
  return kMathFunctions;
}

}  // namespace convoke::cel
