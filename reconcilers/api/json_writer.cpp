#include "reconcilers/api/json_writer.h"

#include <array>
#include <charconv>
#include <utility>

namespace convoke::api {

void put_text(Json& object, const char* key, const std::string& text) {
  if (!text.empty()) {
    object[key] = text;
  }
}

void put_number(Json& object, const char* key, std::int64_t number) {
  if (number != 0) {
    object[key] = number;
  }
}

void put_flag(Json& object, const char* key, bool flag) {
  if (flag) {
    object[key] = true;
  }
}

void put_raw(Json& object, const char* key, const RawJson& text) {
  if (text.empty()) {
    return;
  }
  if (Result<Json> value = parse_json(text)) {
    object[key] = std::move(*value);
  }
}

void put_filled(Json& object, const char* key, Json value) {
  if (!value.empty()) {
    object[key] = std::move(value);
  }
}

std::string format_decimal(double number) {
  std::array<char, 64> text{};
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed, 4).ptr;
  std::string decimal(text.data(), end);
  decimal.erase(decimal.find_last_not_of('0') + 1);
  if (decimal.ends_with('.')) {
    decimal.pop_back();
  }
  return decimal;
}

Json status_body(const kube::ResourceType& type, const kube::ObjectMeta& meta, Json status) {
  Json metadata = Json::object();
  put_text(metadata, "name", meta.name);
  put_text(metadata, "namespace", meta.namespace_);
  put_text(metadata, "uid", meta.uid);
  put_text(metadata, "resourceVersion", meta.resource_version);
  return {{"apiVersion", type.api_version()},
          {"kind", type.kind},
          {"metadata", std::move(metadata)},
          {"status", std::move(status)}};
}

kube::ObjectReference reference_to(const kube::ResourceType& type, const kube::ObjectMeta& meta) {
  return {type, meta.namespace_, meta.name, meta.uid, meta.resource_version};
}

}  // namespace convoke::api
