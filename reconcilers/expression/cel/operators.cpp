#include "reconcilers/expression/cel/operators.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "reconcilers/expression/cel/time_value.h"

namespace convoke::cel {
namespace {

// As deep as borrowed JSON and a value around it may be.
constexpr int kMaxWalkDepth = 2 * kMaxValueDepth;

std::partial_ordering compare_numbers(const Value& a, const Value& b) {
  const auto as_double = [](const Value& value) {
    switch (value.kind()) {
      case Kind::Int:
        return static_cast<double>(value.as_int());
      case Kind::Uint:
        return static_cast<double>(value.as_uint());
      default:
        return value.as_double();
    }
  };
  if (a.is(Kind::Double) || b.is(Kind::Double)) {
    return as_double(a) <=> as_double(b);
  }
  if (a.kind() == b.kind()) {
    return a.is(Kind::Int) ? a.as_int() <=> b.as_int() : a.as_uint() <=> b.as_uint();
  }
  const bool a_is_int = a.is(Kind::Int);
  const std::int64_t with_sign = a_is_int ? a.as_int() : b.as_int();
  const std::uint64_t without = a_is_int ? b.as_uint() : a.as_uint();
  if (std::cmp_equal(with_sign, without)) {
    return std::partial_ordering::equivalent;
  }
  return std::cmp_less(with_sign, without) == a_is_int ? std::partial_ordering::less
                                                       : std::partial_ordering::greater;
}

// A walk over two values at once.
class Equality {
 public:
  explicit Equality(Budget& budget) : budget_(budget) {}

  bool equal(const Value& a, const Value& b, int depth = 0) {
    if (depth > kMaxWalkDepth || !budget_.spend()) {
      return false;
    }
    if (a.is_number() && b.is_number()) {
      return compare_numbers(a, b) == std::partial_ordering::equivalent;
    }
    if (a.kind() != b.kind()) {
      return false;
    }
    switch (a.kind()) {
      case Kind::Bool:
        return a.as_bool() == b.as_bool();
      case Kind::String:
      case Kind::Bytes:
        return a.as_text().size() == b.as_text().size() &&
               budget_.spend(Budget::steps_for(a.as_text().size())) && a.as_text() == b.as_text();
      case Kind::List:
        return lists_equal(a, b, depth);
      case Kind::Map:
        return maps_equal(a, b, depth);
      case Kind::Duration:
        return a.as_duration() == b.as_duration();
      case Kind::Timestamp:
        return a.as_timestamp() == b.as_timestamp();
      case Kind::Type:
        return a.as_type() == b.as_type();
      case Kind::Optional: {
        const auto x = a.as_optional();
        const auto y = b.as_optional();
        return x.has_value() == y.has_value() && (!x || equal(*x, *y, depth + 1));
      }
      case Kind::Opaque:
        return a.as_opaque().equals(b.as_opaque());
      default:
        return true;  // null
    }
  }

 private:
  bool lists_equal(const Value& a, const Value& b, int depth) {
    const std::size_t size = a.size();
    if (size != b.size()) {
      return false;
    }
    for (std::size_t i = 0; i < size; ++i) {
      if (!equal(a.at(i), b.at(i), depth + 1)) {
        return false;
      }
    }
    return true;
  }

  bool maps_equal(const Value& a, const Value& b, int depth) {
    bool result = a.size() == b.size();
    if (result) {
      a.each_entry([&](const Value& key, const Value& value) {
        const auto other = b.find(key);
        result = other && equal(value, *other, depth + 1);
        return result;
      });
    }
    return result;
  }

  Budget& budget_;
};

Value no_overload(Operator op, const Value& a, const Value& b) {
  std::string what = std::string("there is no operator \"") + operator_text(op) + "\" for " +
                     std::string(a.type_name()) + " and " + std::string(b.type_name());
  if (a.is_number() && b.is_number()) {
    what += "; convert one of them with int(), uint() or double()";
  }
  return Value::failure(std::move(what));
}

Value overflow(Operator op) {
  return Value::failure(std::string("the result of \"") + operator_text(op) + "\" is out of range");
}

Value int_arithmetic(Operator op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflows = false;
  switch (op) {
    case Operator::Add:
      overflows = __builtin_add_overflow(a, b, &result);
      break;
    case Operator::Subtract:
      overflows = __builtin_sub_overflow(a, b, &result);
      break;
    case Operator::Multiply:
      overflows = __builtin_mul_overflow(a, b, &result);
      break;
    default:
      if (b == 0) {
        return Value::failure(op == Operator::Divide ? "division by zero" : "modulus by zero");
      }
      if (b == -1) {  // the only divisor that can overflow
        overflows = __builtin_sub_overflow(0, a, &result);
        result = op == Operator::Divide ? result : 0;
      } else {
        result = op == Operator::Divide ? a / b : a % b;
      }
  }
  return overflows ? overflow(op) : Value::from_int(result);
}

Value uint_arithmetic(Operator op, std::uint64_t a, std::uint64_t b) {
  std::uint64_t result = 0;
  bool overflows = false;
  switch (op) {
    case Operator::Add:
      overflows = __builtin_add_overflow(a, b, &result);
      break;
    case Operator::Subtract:
      overflows = __builtin_sub_overflow(a, b, &result);
      break;
    case Operator::Multiply:
      overflows = __builtin_mul_overflow(a, b, &result);
      break;
    default:
      if (b == 0) {
        return Value::failure(op == Operator::Divide ? "division by zero" : "modulus by zero");
      }
      result = op == Operator::Divide ? a / b : a % b;
  }
  return overflows ? overflow(op) : Value::from_uint(result);
}

Value double_arithmetic(Operator op, const Value& left, const Value& right) {
  const double a = left.as_double();
  const double b = right.as_double();
  switch (op) {
    case Operator::Add:
      return Value::from_double(a + b);
    case Operator::Subtract:
      return Value::from_double(a - b);
    case Operator::Multiply:
      return Value::from_double(a * b);
    case Operator::Divide:
      return Value::from_double(a / b);
    default:
      return no_overload(op, left, right);
  }
}

// + of texts, bytes and lists.
Value concatenate(const Value& a, const Value& b, Budget& budget) {
  if (a.is(Kind::List)) {
    const std::size_t size = a.size() + b.size();
    if (!budget.produce(size * Budget::kBytesPerElement) || !budget.spend(size)) {
      return too_expensive();
    }
    std::vector<Value> items;
    items.reserve(size);
    for (const Value* part : {&a, &b}) {
      for (std::size_t i = 0; i < part->size(); ++i) {
        items.push_back(part->at(i));
      }
    }
    return Value::from_list(std::move(items));
  }
  const std::size_t size = a.as_text().size() + b.as_text().size();
  if (!budget.produce(size) || !budget.spend(Budget::steps_for(size))) {
    return too_expensive();
  }
  std::string text;
  text.reserve(size);
  text.append(a.as_text()).append(b.as_text());
  return a.is(Kind::String) ? Value::from_string(std::move(text)) : Value::from_bytes(std::move(text));
}

// + and - of timestamps and durations; nothing if they are none.
std::optional<Value> time_arithmetic(Operator op, const Value& a, const Value& b) {
  if (op != Operator::Add && op != Operator::Subtract) {
    return std::nullopt;
  }
  const bool is_sum = op == Operator::Add;
  std::optional<Value> result;
  if (a.is(Kind::Duration) && b.is(Kind::Duration)) {
    std::int64_t nanos = 0;
    const auto x = a.as_duration().count();
    const auto y = b.as_duration().count();
    const bool overflows =
        is_sum ? __builtin_add_overflow(x, y, &nanos) : __builtin_sub_overflow(x, y, &nanos);
    return overflows ? overflow(op) : Value::from_duration(Duration(nanos));
  }
  if (a.is(Kind::Timestamp) && b.is(Kind::Duration)) {
    const auto time = moved(a.as_timestamp(), b.as_duration(), !is_sum);
    return time ? Value::from_timestamp(*time) : overflow(op);
  }
  if (a.is(Kind::Duration) && b.is(Kind::Timestamp) && is_sum) {
    const auto time = moved(b.as_timestamp(), a.as_duration(), false);
    return time ? Value::from_timestamp(*time) : overflow(op);
  }
  if (a.is(Kind::Timestamp) && b.is(Kind::Timestamp) && !is_sum) {
    const auto between = difference(a.as_timestamp(), b.as_timestamp());
    return between ? Value::from_duration(*between) : overflow(op);
  }
  return std::nullopt;
}

Value arithmetic(Operator op, const Value& a, const Value& b, Budget& budget) {
  if (a.kind() == b.kind()) {
    switch (a.kind()) {
      case Kind::Int:
        return int_arithmetic(op, a.as_int(), b.as_int());
      case Kind::Uint:
        return uint_arithmetic(op, a.as_uint(), b.as_uint());
      case Kind::Double:
        return double_arithmetic(op, a, b);
      case Kind::String:
      case Kind::Bytes:
      case Kind::List:
        return op == Operator::Add ? concatenate(a, b, budget) : no_overload(op, a, b);
      default:
        break;
    }
  }
  auto time = time_arithmetic(op, a, b);
  return time ? std::move(*time) : no_overload(op, a, b);
}

Value is_in(const Value& wanted, const Value& container, Budget& budget) {
  if (container.is(Kind::Map)) {
    const std::uint64_t cost = wanted.is(Kind::String) ? Budget::steps_for(wanted.as_text().size()) : 1;
    return budget.spend(cost) ? Value::from_bool(container.find(wanted).has_value()) : too_expensive();
  }
  if (!container.is(Kind::List)) {
    return no_overload(Operator::In, wanted, container);
  }
  const std::size_t size = container.size();
  for (std::size_t i = 0; i < size && !budget.is_exhausted(); ++i) {
    if (are_equal(wanted, container.at(i), budget)) {
      return Value::from_bool(true);
    }
  }
  return Value::from_bool(false);
}

Value ordered(Operator op, const Value& a, const Value& b, Budget& budget) {
  const auto order = compare(a, b, budget);
  if (!order) {
    return no_overload(op, a, b);
  }
  switch (op) {
    case Operator::Less:
      return Value::from_bool(*order < 0);
    case Operator::LessEqual:
      return Value::from_bool(*order <= 0);
    case Operator::Greater:
      return Value::from_bool(*order > 0);
    default:
      return Value::from_bool(*order >= 0);
  }
}

}  // namespace

bool are_equal(const Value& a, const Value& b, Budget& budget) {
  return Equality(budget).equal(a, b);
}

std::optional<std::partial_ordering> compare(const Value& a, const Value& b, Budget& budget) {
  if (a.is_number() && b.is_number()) {
    return compare_numbers(a, b);
  }
  if (a.kind() != b.kind()) {
    return std::nullopt;
  }
  switch (a.kind()) {
    case Kind::Bool:
      return static_cast<int>(a.as_bool()) <=> static_cast<int>(b.as_bool());
    case Kind::String:
    case Kind::Bytes:
      budget.spend(Budget::steps_for(std::min(a.as_text().size(), b.as_text().size())));
      return a.as_text() <=> b.as_text();
    case Kind::Duration:
      return a.as_duration() <=> b.as_duration();
    case Kind::Timestamp:
      return a.as_timestamp() <=> b.as_timestamp();
    default:
      return std::nullopt;
  }
}

Value apply(Operator op, const Value& a, const Value& b, Budget& budget) {
  switch (op) {
    case Operator::Equal:
      return Value::from_bool(are_equal(a, b, budget));
    case Operator::NotEqual:
      return Value::from_bool(!are_equal(a, b, budget));
    case Operator::In:
      return is_in(a, b, budget);
    case Operator::Less:
    case Operator::LessEqual:
    case Operator::Greater:
    case Operator::GreaterEqual:
      return ordered(op, a, b, budget);
    default:
      return arithmetic(op, a, b, budget);
  }
}

Value negate(const Value& operand) {
  if (operand.is(Kind::Double)) {
    return Value::from_double(-operand.as_double());
  }
  if (operand.is(Kind::Int)) {
    return int_arithmetic(Operator::Subtract, 0, operand.as_int());
  }
  return Value::failure("there is no operator \"-\" for " + std::string(operand.type_name()));
}

const char* operator_text(Operator op) {
  static constexpr std::array<const char*, 12> kTexts = {
      "==", "!=", "<", "<=", ">", ">=", "in", "+", "-", "*", "/", "%"};
  return kTexts.at(static_cast<std::size_t>(op));
}

}  // namespace convoke::cel
