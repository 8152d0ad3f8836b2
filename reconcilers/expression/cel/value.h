// A CEL value: what expressions read and give.
//
// Values are immutable and cheap to copy: text, lists and maps are either shared or borrowed. What
// from_json() and the borrow_*() functions make points into memory of others, which outlives the value and
// everything that is taken out of it; all others own what they hold.
//
// An error is a value too (failure()), because && and || must be able to look at it and go on.
//
// Thread safety: as const std::string; values may be shared between threads. No function throws.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "controller/base/result.h"

namespace convoke::cel {

using Json = nlohmann::json;

enum class Kind : std::uint8_t {
  Null,
  Bool,
  Int,
  Uint,
  Double,
  String,
  Bytes,
  List,
  Map,
  Duration,
  Timestamp,
  Type,
  Optional,
  Opaque,
  Failure,
};

// A point in time, from year 1 to 9999, which is more than WallTime can hold.
struct Timestamp {
  std::int64_t seconds = 0;  // since 1970 in UTC
  std::int32_t nanos = 0;    // 0 to 999,999,999
  auto operator<=>(const Timestamp&) const = default;
};

// Why an evaluation has no result. Offset: the byte of the source, once it is known.
struct Failure {
  std::string message;
  std::string reason;
  std::optional<std::uint32_t> offset;
};

// Values of the extensions: IP addresses, quantities, URLs and the like.
class Opaque {
 public:
  virtual ~Opaque() = default;
  virtual std::string_view type_name() const = 0;  // of static storage
  virtual bool equals(const Opaque& other) const = 0;
  // Nothing if there is no order between them.
  virtual std::optional<std::partial_ordering> compare(const Opaque&) const { return std::nullopt; }
  virtual std::string text() const = 0;
};

class Value;

// Deeper values are refused when they are made, so that every walk over them may recurse.
constexpr int kMaxValueDepth = 400;

struct ListData;
struct MapData;
struct OptionalData;

class Value {
 public:
  Value() = default;  // null

  static Value from_bool(bool value) { return Value(Payload(std::in_place_type<bool>, value)); }
  static Value from_int(std::int64_t value) {
    return Value(Payload(std::in_place_type<std::int64_t>, value));
  }
  static Value from_uint(std::uint64_t value) {
    return Value(Payload(std::in_place_type<std::uint64_t>, value));
  }
  static Value from_double(double value) { return Value(Payload(std::in_place_type<double>, value)); }
  static Value from_string(std::string value);
  static Value from_bytes(std::string value);
  static Value borrow_string(std::string_view value);
  static Value from_list(std::vector<Value> items);
  // A later entry of the same key replaces an earlier one. Keys are bool, int, uint or string.
  static Value from_map(std::vector<std::pair<Value, Value>> entries);
  static Value from_duration(Duration value) { return Value(Payload(std::in_place_type<Duration>, value)); }
  static Value from_timestamp(Timestamp value) {
    return Value(Payload(std::in_place_type<Timestamp>, value));
  }
  // `name` is of static storage.
  static Value from_type(std::string_view name) { return Value(Payload(TypeName{name})); }
  static Value none();
  static Value optional_of(Value value);
  static Value from_opaque(std::shared_ptr<const Opaque> value);
  // Borrows `json`. Integers beyond 64 bits with sign become doubles, as in Kubernetes.
  static Value from_json(const Json& json);
  static Value failure(std::string message, std::string reason = "ExpressionFailed");
  static Value from_failure(Failure failure);

  Kind kind() const;
  bool is(Kind wanted) const { return kind() == wanted; }
  bool is_failure() const { return std::holds_alternative<std::shared_ptr<const Failure>>(payload_); }
  bool is_number() const {
    const Kind own = kind();
    return own == Kind::Int || own == Kind::Uint || own == Kind::Double;
  }
  bool is_true() const {
    const auto* value = std::get_if<bool>(&payload_);
    return value != nullptr && *value;
  }

  // Each may be called only on a value of its kind.
  bool as_bool() const { return *std::get_if<bool>(&payload_); }
  std::int64_t as_int() const { return *std::get_if<std::int64_t>(&payload_); }
  std::uint64_t as_uint() const { return *std::get_if<std::uint64_t>(&payload_); }
  double as_double() const { return *std::get_if<double>(&payload_); }
  std::string_view as_text() const;  // String or Bytes; valid as long as a copy of this value
  Duration as_duration() const { return *std::get_if<Duration>(&payload_); }
  Timestamp as_timestamp() const { return *std::get_if<Timestamp>(&payload_); }
  std::string_view as_type() const { return std::get_if<TypeName>(&payload_)->name; }
  const Opaque& as_opaque() const { return **std::get_if<std::shared_ptr<const Opaque>>(&payload_); }
  const Failure& as_failure() const { return **std::get_if<std::shared_ptr<const Failure>>(&payload_); }
  std::optional<Value> as_optional() const;

  // Lists and maps: the number of elements or entries.
  std::size_t size() const;
  Value at(std::size_t index) const;                  // of a list; index < size()
  std::optional<Value> find(const Value& key) const;  // of a map; 1, 1u and 1.0 are the same key
  std::optional<Value> find(std::string_view key) const;
  // The JSON that a list or map borrows; null if an expression made it.
  const Json* borrowed_json() const;
  // Calls visit(key, value) for every entry of a map until it returns false.
  void each_entry(const std::function<bool(const Value&, const Value&)>& visit) const;

  // The name that type() gives: "int", "google.protobuf.Timestamp".
  std::string_view type_name() const;
  // How deep the value nests, as far as it was built by an expression: borrowed JSON counts as 1.
  int depth() const;

 private:
  struct Text {
    std::string_view view;
    std::shared_ptr<const std::string> owner;
  };
  struct String : Text {};
  struct Bytes : Text {};
  struct List {
    const Json* json = nullptr;
    std::shared_ptr<const ListData> data;
  };
  struct Map {
    const Json* json = nullptr;
    std::shared_ptr<const MapData> data;
  };
  struct TypeName {
    std::string_view name;
  };
  struct Maybe {
    std::shared_ptr<const OptionalData> data;  // null: there is no value
  };
  // In the order of Kind.
  using Payload = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, String, Bytes, List,
                               Map, Duration, Timestamp, TypeName, Maybe, std::shared_ptr<const Opaque>,
                               std::shared_ptr<const Failure>>;

  explicit Value(Payload payload) : payload_(std::move(payload)) {}

  Payload payload_;
};

// The order of map keys: booleans, then numbers by value, then strings.
struct KeyLess {
  bool operator()(const Value& a, const Value& b) const;
};

struct ListData {
  std::vector<Value> items;
  int depth = 1;
};
struct MapData {
  std::map<Value, Value, KeyLess> entries;
  int depth = 1;
};
struct OptionalData {
  Value value;
  int depth = 1;
};

// True if a map may have such a key.
bool is_key(const Value& value);
// The int or uint that a double stands for exactly, for look-ups; any other value is given back as it is.
Value normalized_key(const Value& key);

// As JSON: bytes in base64, durations and timestamps as text, keys of maps as text, an absent optional as
// null. Errors: Invalid for what JSON cannot hold (NaN, infinities, two keys that become one), reason
// "ExpressionFailed"; and for a result of more than about `max_bytes` as text, reason "ResultTooLarge": a
// small value may hold another one many times.
inline constexpr const char* kResultTooLarge = "ResultTooLarge";
Result<Json> to_json(const Value& value, std::uint64_t max_bytes);
// For messages: compact, cut to a readable length.
std::string describe(const Value& value);

}  // namespace convoke::cel
