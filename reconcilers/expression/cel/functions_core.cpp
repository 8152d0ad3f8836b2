// Functions of the language itself: size(), text tests, and dyn().
#include "reconcilers/expression/cel/function.h"
#include "reconcilers/expression/cel/text.h"

namespace convoke::cel {
namespace {

Value size(const Call& call) {
  const Value& value = call[0];
  switch (value.kind()) {
    case Kind::String:
      if (!call.budget.spend(Budget::steps_for(value.as_text().size()))) {
        return too_expensive();
      }
      return Value::from_int(static_cast<std::int64_t>(count_code_points(value.as_text())));
    case Kind::Bytes:
      return Value::from_int(static_cast<std::int64_t>(value.as_text().size()));
    case Kind::List:
    case Kind::Map:
      return Value::from_int(static_cast<std::int64_t>(value.size()));
    default:
      return call.no_overload();
  }
}

Value contains(const Call& call) {
  if (!call.takes({Kind::String, Kind::String})) {
    return call.no_overload();
  }
  if (!call.budget.spend(Budget::steps_for(call[0].as_text().size() + call[1].as_text().size()))) {
    return too_expensive();
  }
  return Value::from_bool(find_text(call[0].as_text(), call[1].as_text()) != std::string_view::npos);
}

Value starts_with(const Call& call) {
  if (!call.takes({Kind::String, Kind::String})) {
    return call.no_overload();
  }
  call.budget.spend(Budget::steps_for(call[1].as_text().size()));
  return Value::from_bool(call[0].as_text().starts_with(call[1].as_text()));
}

Value ends_with(const Call& call) {
  if (!call.takes({Kind::String, Kind::String})) {
    return call.no_overload();
  }
  call.budget.spend(Budget::steps_for(call[1].as_text().size()));
  return Value::from_bool(call[0].as_text().ends_with(call[1].as_text()));
}

Value dyn(const Call& call) {
  return call[0];
}

constexpr Function kCoreFunctions[] = {
    {"size", false, 1, 1, size},         {"size", true, 1, 1, size},
    {"contains", true, 2, 2, contains},  {"startsWith", true, 2, 2, starts_with},
    {"endsWith", true, 2, 2, ends_with}, {"dyn", false, 1, 1, dyn},
};

}  // namespace

FunctionTable core_functions() {
  return kCoreFunctions;
}

}  // namespace convoke::cel
