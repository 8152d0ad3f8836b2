// From values to JSON, and to text for messages.
#include <cmath>
#include <utility>

#include "controller/kube/base64.h"
#include "reconcilers/expression/cel/cel.h"
#include "reconcilers/expression/cel/number.h"
#include "reconcilers/expression/cel/text.h"
#include "reconcilers/expression/cel/time_value.h"
#include "reconcilers/expression/cel/value.h"

namespace convoke::cel {
namespace {

Error not_json(const std::string& what) {
  return Error{ErrorCode::Invalid, what + " cannot be written as JSON", kExpressionFailed};
}

std::string key_text(const Value& key) {
  return key.is(Kind::String) ? std::string(key.as_text()) : describe(key);
}

Result<Json> list_to_json(const Value& value) {
  Json result = Json::array();
  for (std::size_t i = 0; i < value.size(); ++i) {
    auto item = to_json(value.at(i));
    if (!item) {
      return item;
    }
    result.push_back(std::move(*item));
  }
  return result;
}

Result<Json> map_to_json(const Value& value) {
  Json result = Json::object();
  std::optional<Error> failed;
  value.each_entry([&](const Value& key, const Value& entry) {
    auto item = to_json(entry);
    if (!item) {
      failed = item.error();
    } else if (!result.emplace(key_text(key), std::move(*item)).second) {
      failed = not_json("a map with two keys that are the same text");
    }
    return !failed;
  });
  return failed ? Result<Json>(*failed) : Result<Json>(std::move(result));
}

std::string shortened(std::string_view text) {
  constexpr std::size_t kShown = 100;
  if (text.size() <= kShown) {
    return std::string(text);
  }
  std::size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
    --end;
  }
  return std::string(text.substr(0, end)) + "...";
}

}  // namespace

Result<Json> to_json(const Value& value) {
  switch (value.kind()) {
    case Kind::Bool:
      return Json(value.as_bool());
    case Kind::Int:
      return Json(value.as_int());
    case Kind::Uint:
      return Json(value.as_uint());
    case Kind::Double:
      return std::isfinite(value.as_double()) ? Result<Json>(Json(value.as_double()))
                                              : not_json(double_text(value.as_double()));
    case Kind::String:
      return is_utf8(value.as_text()) ? Result<Json>(Json(std::string(value.as_text())))
                                      : not_json("text that is not UTF-8");
    case Kind::Bytes:
      return Json(kube::base64_encode(value.as_text()));
    case Kind::List:
      return list_to_json(value);
    case Kind::Map:
      return map_to_json(value);
    case Kind::Optional: {
      const auto inner = value.as_optional();
      return inner ? to_json(*inner) : Result<Json>(Json());
    }
    case Kind::Null:
      return Json();
    default:
      return Json(describe(value));
  }
}

std::string describe(const Value& value) {
  switch (value.kind()) {
    case Kind::Null:
      return "null";
    case Kind::Bool:
      return value.as_bool() ? "true" : "false";
    case Kind::Int:
      return std::to_string(value.as_int());
    case Kind::Uint:
      return std::to_string(value.as_uint());
    case Kind::Double:
      return double_text(value.as_double());
    case Kind::String:
      return shortened(value.as_text());
    case Kind::Duration:
      return duration_text(value.as_duration());
    case Kind::Timestamp:
      return timestamp_text(value.as_timestamp());
    case Kind::Type:
      return std::string(value.as_type());
    case Kind::Opaque:
      return value.as_opaque().text();
    case Kind::List:
    case Kind::Map:
      return std::string(value.type_name()) + " of " + std::to_string(value.size());
    case Kind::Failure:
      return value.as_failure().message;
    default:
      return std::string(value.type_name());
  }
}

}  // namespace convoke::cel
