// Conversions: int(), uint(), double(), string(), bytes(), bool(), type(), duration(), timestamp(), and
// base64.
#include <cmath>

#include "controller/kube/base64.h"
#include "reconcilers/expression/cel/function.h"
#include "reconcilers/expression/cel/number.h"
#include "reconcilers/expression/cel/text.h"
#include "reconcilers/expression/cel/time_value.h"

namespace convoke::cel {
namespace {

// Says nothing of the value itself, which may be a secret.
Value cannot_convert(const Call& call, const std::string& to) {
  return Call::error("this " + std::string(call[0].type_name()) + " is not " + to +
                     ", or is out of its range");
}

Value int_or_error(const Call& call, std::optional<std::int64_t> value) {
  return value ? Value::from_int(*value) : cannot_convert(call, "an int");
}

Value to_int(const Call& call) {
  const Value& value = call[0];
  switch (value.kind()) {
    case Kind::Int:
      return value;
    case Kind::Uint:
      return std::in_range<std::int64_t>(value.as_uint())
                 ? Value::from_int(static_cast<std::int64_t>(value.as_uint()))
                 : cannot_convert(call, "an int");
    case Kind::Double:
      return int_or_error(call, truncated_int(value.as_double()));
    case Kind::String:
      return int_or_error(call, parse_int(value.as_text()));
    case Kind::Timestamp:
      return Value::from_int(value.as_timestamp().seconds);
    case Kind::Duration:
      return Value::from_int(value.as_duration().count());
    default:
      return call.no_overload();
  }
}

Value uint_or_error(const Call& call, std::optional<std::uint64_t> value) {
  return value ? Value::from_uint(*value) : cannot_convert(call, "a uint");
}

Value to_uint(const Call& call) {
  const Value& value = call[0];
  switch (value.kind()) {
    case Kind::Uint:
      return value;
    case Kind::Int:
      return value.as_int() >= 0 ? Value::from_uint(static_cast<std::uint64_t>(value.as_int()))
                                 : cannot_convert(call, "a uint");
    case Kind::Double:
      return uint_or_error(call, truncated_uint(value.as_double()));
    case Kind::String:
      return uint_or_error(call, parse_uint(value.as_text()));
    default:
      return call.no_overload();
  }
}

Value to_double(const Call& call) {
  const Value& value = call[0];
  switch (value.kind()) {
    case Kind::Double:
      return value;
    case Kind::Int:
      return Value::from_double(static_cast<double>(value.as_int()));
    case Kind::Uint:
      return Value::from_double(static_cast<double>(value.as_uint()));
    case Kind::String: {
      const auto parsed = parse_double(value.as_text());
      return parsed ? Value::from_double(*parsed) : cannot_convert(call, "a double");
    }
    default:
      return call.no_overload();
  }
}

Value to_text(const Call& call) {
  const Value& value = call[0];
  switch (value.kind()) {
    case Kind::String:
      return value;
    case Kind::Bytes:
      return is_utf8(value.as_text()) ? call.text(std::string(value.as_text()))
                                      : Call::error("the bytes are not UTF-8");
    case Kind::Bool:
    case Kind::Int:
    case Kind::Uint:
    case Kind::Double:
    case Kind::Timestamp:
    case Kind::Duration:
    case Kind::Opaque:
      return call.text(describe(value));
    default:
      return call.no_overload();
  }
}

Value to_bytes(const Call& call) {
  if (call[0].is(Kind::Bytes)) {
    return call[0];
  }
  return call[0].is(Kind::String) ? call.bytes(std::string(call[0].as_text())) : call.no_overload();
}

Value to_bool(const Call& call) {
  if (call[0].is(Kind::Bool)) {
    return call[0];
  }
  if (!call[0].is(Kind::String)) {
    return call.no_overload();
  }
  const auto text = call[0].as_text();
  for (const std::string_view word : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == word) {
      return Value::from_bool(true);
    }
  }
  for (const std::string_view word : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == word) {
      return Value::from_bool(false);
    }
  }
  return cannot_convert(call, "a bool");
}

Value type_of(const Call& call) {
  return Value::from_type(call[0].type_name());
}

Value to_duration(const Call& call) {
  if (call[0].is(Kind::Duration)) {
    return call[0];
  }
  if (!call[0].is(Kind::String)) {
    return call.no_overload();
  }
  const auto parsed = parse_signed_duration(call[0].as_text());
  return parsed ? Value::from_duration(*parsed)
                : cannot_convert(call, "a duration such as \"90s\" or \"1h30m\"");
}

Value to_timestamp(const Call& call) {
  std::optional<Timestamp> time;
  switch (call[0].kind()) {
    case Kind::Timestamp:
      return call[0];
    case Kind::Int:
      time = timestamp_from_seconds(call[0].as_int());
      break;
    case Kind::String:
      time = parse_timestamp(call[0].as_text());
      break;
    default:
      return call.no_overload();
  }
  return time ? Value::from_timestamp(*time)
              : cannot_convert(call, "an RFC 3339 time such as \"2026-01-31T12:00:05Z\"");
}

Value base64_encode(const Call& call) {
  return call[0].is(Kind::Bytes) ? call.text(kube::base64_encode(call[0].as_text())) : call.no_overload();
}

// The padding may be missing.
Value base64_decode(const Call& call) {
  if (!call[0].is(Kind::String)) {
    return call.no_overload();
  }
  std::string text(call[0].as_text());
  if (text.find('=') == std::string::npos) {
    text.append((4 - text.size() % 4) % 4, '=');
  }
  auto decoded = kube::base64_decode(text);
  return decoded ? call.bytes(std::move(*decoded)) : Call::error("the text is not base64");
}

constexpr Function kConversionFunctions[] = {
    {"int", false, 1, 1, to_int},
    {"uint", false, 1, 1, to_uint},
    {"double", false, 1, 1, to_double},
    {"string", false, 1, 1, to_text},
    {"bytes", false, 1, 1, to_bytes},
    {"bool", false, 1, 1, to_bool},
    {"type", false, 1, 1, type_of},
    {"duration", false, 1, 1, to_duration},
    {"timestamp", false, 1, 1, to_timestamp},
    {"base64.encode", false, 1, 1, base64_encode},
    {"base64.decode", false, 1, 1, base64_decode},
};

}  // namespace

FunctionTable conversion_functions() {
  return kConversionFunctions;
}

}  // namespace convoke::cel
