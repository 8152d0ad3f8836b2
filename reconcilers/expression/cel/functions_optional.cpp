// Optional values. or(), orValue(), optMap() and optFlatMap() are macros, because they are lazy.
#include "reconcilers/expression/cel/function.h"

namespace convoke::cel {
namespace {

bool is_zero(const Value& value) {
  switch (value.kind()) {
    case Kind::Null:
      return true;
    case Kind::Bool:
      return !value.as_bool();
    case Kind::Int:
      return value.as_int() == 0;
    case Kind::Uint:
      return value.as_uint() == 0;
    case Kind::Double:
      return value.as_double() == 0;
    case Kind::String:
    case Kind::Bytes:
      return value.as_text().empty();
    case Kind::List:
    case Kind::Map:
      return value.size() == 0;
    case Kind::Duration:
      return value.as_duration() == Duration::zero();
    case Kind::Timestamp:
      return value.as_timestamp() == Timestamp{};
    case Kind::Optional:
      return !value.as_optional();
    default:
      return false;
  }
}

Value none(const Call&) {
  return Value::none();
}

Value of(const Call& call) {
  Value result = Value::optional_of(call[0]);
  return result.depth() > kMaxValueDepth ? Call::error("the optional value nests too deeply") : result;
}

Value of_non_zero(const Call& call) {
  return is_zero(call[0]) ? Value::none() : of(call);
}

Value has_value(const Call& call) {
  return call[0].is(Kind::Optional) ? Value::from_bool(call[0].as_optional().has_value())
                                    : call.no_overload();
}

Value value(const Call& call) {
  if (!call[0].is(Kind::Optional)) {
    return call.no_overload();
  }
  auto inner = call[0].as_optional();
  return inner ? std::move(*inner)
               : Call::error("the optional value is not there; orValue() gives another one then");
}

// Of a list of optional values, those that are there.
Value unwrap(const Call& call) {
  if (!call[0].is(Kind::List)) {
    return call.no_overload();
  }
  std::vector<Value> items;
  for (std::size_t i = 0; i < call[0].size(); ++i) {
    const Value item = call[0].at(i);
    if (!item.is(Kind::Optional)) {
      return Call::error("element " + std::to_string(i) + " is not an optional value");
    }
    if (auto inner = item.as_optional()) {
      items.push_back(std::move(*inner));
    }
  }
  return call.list(std::move(items));
}

constexpr Function kOptionalFunctions[] = {
    {"optional.none", false, 0, 0, none},
    {"optional.of", false, 1, 1, of},
    {"optional.ofNonZeroValue", false, 1, 1, of_non_zero},
    {"optional.unwrap", false, 1, 1, unwrap},
    {"unwrapOpt", true, 1, 1, unwrap},
    {"hasValue", true, 1, 1, has_value},
    {"value", true, 1, 1, value},
};

}  // namespace

FunctionTable optional_functions() {
  return kOptionalFunctions;
}

}  // namespace convoke::cel
