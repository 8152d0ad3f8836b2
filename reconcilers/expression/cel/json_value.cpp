// From values to JSON, and to text for messages.
#include <cmath>
#include <optional>
#include <utility>

#include "controller/kube/base64.h"
#include "reconcilers/expression/cel/cel.h"
#include "reconcilers/expression/cel/number.h"
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

// Converts one value, counting what it writes.
class JsonWriter {
 public:
  explicit JsonWriter(std::uint64_t max_bytes) : max_bytes_(max_bytes), left_(max_bytes) {}

  Result<Json> write(const Value& value) {
    if (!spend(1)) {
      return too_large();
    }
    if (const Json* borrowed = value.borrowed_json()) {
      return count(*borrowed) ? Result<Json>(*borrowed) : too_large();
    }
    switch (value.kind()) {
      case Kind::Null:
        return Json();
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
        return spend(value.as_text().size()) ? Result<Json>(Json(std::string(value.as_text()))) : too_large();
      case Kind::Bytes:
        return spend(value.as_text().size()) ? Result<Json>(Json(kube::base64_encode(value.as_text())))
                                             : too_large();
      case Kind::List:
        return list(value);
      case Kind::Map:
        return map(value);
      case Kind::Optional: {
        const auto inner = value.as_optional();
        return inner ? write(*inner) : Result<Json>(Json());
      }
      default:
        return text(describe(value));
    }
  }

 private:
  bool spend(std::uint64_t bytes) {
    const bool is_enough = bytes <= left_;
    left_ = is_enough ? left_ - bytes : 0;
    return is_enough;
  }

  Error too_large() const {
    return Error{ErrorCode::Invalid, "the result is larger than " + std::to_string(max_bytes_) + " bytes",
                 kResultTooLarge};
  }

  Result<Json> text(const std::string& value) {
    return spend(value.size()) ? Result<Json>(Json(value)) : too_large();
  }

  // False if the JSON is too large to be copied.
  bool count(const Json& json) {
    if (const auto* string = json.get_ptr<const Json::string_t*>()) {
      return spend(1 + string->size());
    }
    if (!spend(1)) {
      return false;
    }
    if (json.is_structured()) {
      for (auto item = json.begin(); item != json.end(); ++item) {
        if ((json.is_object() && !spend(item.key().size())) || !count(*item)) {
          return false;
        }
      }
    }
    return true;
  }

  Result<Json> list(const Value& value) {
    Json result = Json::array();
    for (std::size_t i = 0; i < value.size(); ++i) {
      auto item = write(value.at(i));
      if (!item) {
        return item;
      }
      result.push_back(std::move(*item));
    }
    return result;
  }

  Result<Json> map(const Value& value) {
    Json result = Json::object();
    std::optional<Error> failed;
    value.each_entry([&](const Value& key, const Value& entry) {
      std::string name = key_text(key);
      auto item = spend(name.size()) ? write(entry) : too_large();
      if (!item) {
        failed = item.error();
      } else if (!result.emplace(std::move(name), std::move(*item)).second) {
        failed = not_json("a map with two keys that are the same text");
      }
      return !failed;
    });
    return failed ? Result<Json>(*failed) : Result<Json>(std::move(result));
  }

  std::uint64_t max_bytes_;
  std::uint64_t left_;
};

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

Result<Json> to_json(const Value& value, std::uint64_t max_bytes) {
  return JsonWriter(max_bytes).write(value);
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
