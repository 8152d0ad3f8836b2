#include "reconcilers/expression/cel/value.h"

#include <algorithm>
#include <array>
#include <limits>

#include "reconcilers/expression/cel/number.h"

namespace convoke::cel {
namespace {

constexpr std::array<std::string_view, 13> kTypeNames = {"null_type",
                                                         "bool",
                                                         "int",
                                                         "uint",
                                                         "double",
                                                         "string",
                                                         "bytes",
                                                         "list",
                                                         "map",
                                                         "google.protobuf.Duration",
                                                         "google.protobuf.Timestamp",
                                                         "type",
                                                         "optional_type"};

// Booleans, numbers, strings: the rank of a key's kind.
int key_rank(const Value& key) {
  switch (key.kind()) {
    case Kind::Bool:
      return 0;
    case Kind::Int:
    case Kind::Uint:
      return 1;
    default:
      return 2;
  }
}

bool number_less(const Value& a, const Value& b) {
  if (a.is(Kind::Int) && b.is(Kind::Int)) {
    return a.as_int() < b.as_int();
  }
  if (a.is(Kind::Uint) && b.is(Kind::Uint)) {
    return a.as_uint() < b.as_uint();
  }
  return a.is(Kind::Int) ? std::cmp_less(a.as_int(), b.as_uint()) : std::cmp_less(a.as_uint(), b.as_int());
}

}  // namespace

Value Value::from_string(std::string value) {
  auto owner = std::make_shared<const std::string>(std::move(value));
  const std::string_view view = *owner;
  return Value(Payload(String{{view, std::move(owner)}}));
}

Value Value::from_bytes(std::string value) {
  auto owner = std::make_shared<const std::string>(std::move(value));
  const std::string_view view = *owner;
  return Value(Payload(Bytes{{view, std::move(owner)}}));
}

Value Value::borrow_string(std::string_view value) {
  return Value(Payload(String{{value, nullptr}}));
}

Value Value::from_list(std::vector<Value> items) {
  auto data = std::make_shared<ListData>();
  for (const auto& item : items) {
    data->depth = std::max(data->depth, item.depth() + 1);
  }
  data->items = std::move(items);
  return Value(Payload(List{nullptr, std::move(data)}));
}

Value Value::from_map(std::vector<std::pair<Value, Value>> entries) {
  auto data = std::make_shared<MapData>();
  for (auto& [key, value] : entries) {
    data->depth = std::max(data->depth, value.depth() + 1);
    data->entries.insert_or_assign(std::move(key), std::move(value));
  }
  return Value(Payload(Map{nullptr, std::move(data)}));
}

Value Value::none() {
  return Value(Payload(Maybe{}));
}

Value Value::optional_of(Value value) {
  const int depth = value.depth() + 1;
  return Value(Payload(Maybe{std::make_shared<OptionalData>(OptionalData{std::move(value), depth})}));
}

Value Value::from_opaque(std::shared_ptr<const Opaque> value) {
  return Value(Payload(std::move(value)));
}

Value Value::from_json(const Json& json) {
  switch (json.type()) {
    case Json::value_t::boolean:
      return from_bool(*json.get_ptr<const Json::boolean_t*>());
    case Json::value_t::number_integer:
      return from_int(*json.get_ptr<const Json::number_integer_t*>());
    case Json::value_t::number_unsigned: {
      const auto number = *json.get_ptr<const Json::number_unsigned_t*>();
      return std::in_range<std::int64_t>(number) ? from_int(static_cast<std::int64_t>(number))
                                                 : from_double(static_cast<double>(number));
    }
    case Json::value_t::number_float:
      return from_double(*json.get_ptr<const Json::number_float_t*>());
    case Json::value_t::string:
      return borrow_string(*json.get_ptr<const Json::string_t*>());
    case Json::value_t::array:
      return Value(Payload(List{&json, nullptr}));
    case Json::value_t::object:
      return Value(Payload(Map{&json, nullptr}));
    default:
      return {};
  }
}

Value Value::failure(std::string message, std::string reason) {
  return from_failure(Failure{std::move(message), std::move(reason), {}});
}

Value Value::from_failure(Failure failure) {
  return Value(Payload(std::make_shared<const Failure>(std::move(failure))));
}

Kind Value::kind() const {
  return static_cast<Kind>(payload_.index());
}

std::string_view Value::as_text() const {
  const auto* string = std::get_if<String>(&payload_);
  return string != nullptr ? string->view : std::get_if<Bytes>(&payload_)->view;
}

std::optional<Value> Value::as_optional() const {
  const auto& data = std::get_if<Maybe>(&payload_)->data;
  return data ? std::optional(data->value) : std::nullopt;
}

std::size_t Value::size() const {
  if (const auto* list = std::get_if<List>(&payload_)) {
    return list->json != nullptr ? list->json->size() : list->data->items.size();
  }
  const auto* map = std::get_if<Map>(&payload_);
  return map->json != nullptr ? map->json->size() : map->data->entries.size();
}

Value Value::at(std::size_t index) const {
  const auto* list = std::get_if<List>(&payload_);
  return list->json != nullptr ? from_json((*list->json)[index]) : list->data->items[index];
}

std::optional<Value> Value::find(const Value& key) const {
  const auto* map = std::get_if<Map>(&payload_);
  if (map->json != nullptr) {
    return key.is(Kind::String) ? find(key.as_text()) : std::nullopt;
  }
  const Value wanted = normalized_key(key);
  if (!is_key(wanted)) {
    return std::nullopt;
  }
  const auto found = map->data->entries.find(wanted);
  return found == map->data->entries.end() ? std::nullopt : std::optional(found->second);
}

std::optional<Value> Value::find(std::string_view key) const {
  const auto* map = std::get_if<Map>(&payload_);
  if (map->json == nullptr) {
    return find(borrow_string(key));
  }
  const auto found = map->json->find(key);
  return found == map->json->end() ? std::nullopt : std::optional(from_json(*found));
}

const Json* Value::borrowed_json() const {
  if (const auto* list = std::get_if<List>(&payload_)) {
    return list->json;
  }
  const auto* map = std::get_if<Map>(&payload_);
  return map != nullptr ? map->json : nullptr;
}

void Value::each_entry(const std::function<bool(const Value&, const Value&)>& visit) const {
  const auto* map = std::get_if<Map>(&payload_);
  if (map->json == nullptr) {
    for (const auto& [key, value] : map->data->entries) {
      if (!visit(key, value)) {
        return;
      }
    }
    return;
  }
  for (auto entry = map->json->begin(); entry != map->json->end(); ++entry) {
    if (!visit(borrow_string(entry.key()), from_json(*entry))) {
      return;
    }
  }
}

std::string_view Value::type_name() const {
  const Kind own = kind();
  if (own == Kind::Opaque) {
    return as_opaque().type_name();
  }
  return own == Kind::Failure ? "error" : kTypeNames.at(static_cast<std::size_t>(own));
}

int Value::depth() const {
  if (const auto* list = std::get_if<List>(&payload_)) {
    return list->data ? list->data->depth : 1;
  }
  if (const auto* map = std::get_if<Map>(&payload_)) {
    return map->data ? map->data->depth : 1;
  }
  const auto* maybe = std::get_if<Maybe>(&payload_);
  return maybe != nullptr && maybe->data ? maybe->data->depth : 0;
}

bool KeyLess::operator()(const Value& a, const Value& b) const {
  const int rank = key_rank(a);
  const int other = key_rank(b);
  if (rank != other) {
    return rank < other;
  }
  switch (rank) {
    case 0:
      return !a.as_bool() && b.as_bool();
    case 1:
      return number_less(a, b);
    default:
      return a.as_text() < b.as_text();
  }
}

bool is_key(const Value& value) {
  return value.is(Kind::Bool) || value.is(Kind::Int) || value.is(Kind::Uint) || value.is(Kind::String);
}

Value normalized_key(const Value& key) {
  if (!key.is(Kind::Double)) {
    return key;
  }
  const auto as_int = exact_int(key.as_double());
  if (as_int) {
    return Value::from_int(*as_int);
  }
  const auto as_uint = exact_uint(key.as_double());
  return as_uint ? Value::from_uint(*as_uint) : key;
}

}  // namespace convoke::cel
