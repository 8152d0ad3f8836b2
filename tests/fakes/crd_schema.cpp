#include "tests/fakes/crd_schema.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <regex>
#include <set>
#include <stdexcept>

#include <yaml-cpp/yaml.h>

#include "controller/base/time_format.h"

namespace convoke::fakes {
namespace {

Json to_json(const YAML::Node& node) {
  if (node.IsMap()) {
    Json object = Json::object();
    for (const auto& member : node) object[member.first.Scalar()] = to_json(member.second);
    return object;
  }
  if (node.IsSequence()) {
    Json list = Json::array();
    for (const auto& item : node) list.push_back(to_json(item));
    return list;
  }
  if (node.Tag() == "!") return node.Scalar();  // in quotes
  const Json plain = Json::parse(node.Scalar(), nullptr, false);
  return plain.is_number() || plain.is_boolean() || plain.is_null() ? plain : Json(node.Scalar());
}

// Characters, as the API server counts them.
std::size_t length_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & '\xC0') != '\x80'; }));
}

std::string key_of(const Json& item, const Json& keys) {
  std::string key;
  if (!item.is_object()) return key;
  for (const Json& name : keys) key += item.value(name.get<std::string>(), Json()).dump() + "/";
  return key;
}

// Compiling one takes longer than all else.
const std::regex& pattern_of(const std::string& source) {
  thread_local std::map<std::string, std::regex> patterns;
  return patterns.try_emplace(source, source).first->second;
}

class Check {
 public:
  std::vector<std::string> problems;

  void check(const Json& value, const Json& schema, const std::string& path) {
    const std::string type = schema.value("type", "");
    if (schema.value("x-kubernetes-int-or-string", false)) return;
    if (type.empty()) return;
    if (type == "object") return check_object(value, schema, path);
    if (type == "array") return check_list(value, schema, path);
    if (type == "string") return check_text(value, schema, path);
    if (type == "boolean") return need(value.is_boolean(), path, "is no boolean");
    check_number(value, schema, type, path);
  }

 private:
  void need(bool holds, const std::string& path, const std::string& what) {
    if (!holds) problems.push_back(path + " " + what);
  }

  void check_object(const Json& value, const Json& schema, const std::string& path) {
    if (!value.is_object()) return need(false, path, "is no object");
    need(value.size() <= schema.value("maxProperties", value.size()), path, "has too many fields");
    for (const Json& name : schema.value("required", Json::array())) {
      need(value.contains(name.get<std::string>()), path, "lacks " + name.get<std::string>());
    }
    const Json fields = schema.value("properties", Json::object());
    const bool is_open = schema.value("x-kubernetes-preserve-unknown-fields", false);
    for (const auto& [name, field] : value.items()) {
      if (fields.contains(name)) {
        check(field, fields[name], path + "." + name);
      } else if (schema.contains("additionalProperties")) {
        check(field, schema["additionalProperties"], path + "[" + name + "]");
      } else {
        need(is_open || path.empty() || path == ".metadata", path + "." + name, "is no field");
      }
    }
  }

  void check_list(const Json& value, const Json& schema, const std::string& path) {
    if (!value.is_array()) return need(false, path, "is no list");
    need(value.size() <= schema.value("maxItems", value.size()), path, "has too many items");
    need(value.size() >= schema.value("minItems", std::size_t{0}), path, "has too few items");
    const Json keys = schema.value("x-kubernetes-list-map-keys", Json::array());
    std::set<std::string> seen;
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string where = path + "[" + std::to_string(i) + "]";
      check(value[i], schema["items"], where);
      if (!keys.empty()) need(seen.insert(key_of(value[i], keys)).second, where, "is there twice");
    }
  }

  void check_text(const Json& value, const Json& schema, const std::string& path) {
    if (!value.is_string()) return need(false, path, "is no string");
    const auto text = value.get<std::string>();
    const std::size_t length = length_of(text);
    const std::string shown = "\"" + text.substr(0, 40) + "\"";
    need(length <= schema.value("maxLength", length), path, "has " + std::to_string(length) + " characters");
    need(length >= schema.value("minLength", std::size_t{0}), path, "is too short");
    if (schema.contains("enum")) {
      const Json& allowed = schema["enum"];
      need(std::find(allowed.begin(), allowed.end(), value) != allowed.end(), path,
           shown + " is not allowed");
    }
    if (schema.contains("pattern")) {
      need(std::regex_search(text, pattern_of(schema["pattern"].get<std::string>())), path,
           shown + " does not match the pattern");
    }
    if (schema.value("format", "") == "date-time") {
      need(parse_time(text).has_value(), path, shown + " is no time");
    }
  }

  void check_number(const Json& value, const Json& schema, const std::string& type, const std::string& path) {
    if (!value.is_number() || (type == "integer" && !value.is_number_integer())) {
      return need(false, path, "is no " + type);
    }
    const auto number = value.get<double>();
    const double limit = schema.value("format", "") == "int32" ? 2147483647.0 : 9223372036854775807.0;
    need(number >= schema.value("minimum", -limit - 1) && number <= schema.value("maximum", limit), path,
         value.dump() + " is out of range");
  }
};

Json read_schema(const std::string& plural) {
  const Json crd = to_json(YAML::LoadFile(CONVOKE_CRDS "/convoke.dev_" + plural + ".yaml"));
  Json schema = crd.at("/spec/versions/0/schema/openAPIV3Schema"_json_pointer);
  if (!schema.contains("/properties/status"_json_pointer)) {
    throw std::runtime_error(plural + " has no status");
  }
  return schema;
}

// To read one takes longer than some simulations.
std::shared_ptr<const Json> known_schema(const std::string& plural) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const Json>> known;
  const std::lock_guard lock(mutex);
  auto& schema = known[plural];
  if (schema == nullptr) schema = std::make_shared<const Json>(read_schema(plural));
  return schema;
}

}  // namespace

CrdSchema::CrdSchema(const std::string& plural) : schema_(known_schema(plural)) {}

std::vector<std::string> CrdSchema::problems(const Json& object) const {
  Check check;
  // As the API server receives it: bytes that are no UTF-8 are replaced when a document is written.
  check.check(Json::parse(dump_json(object)), *schema_, "");
  return std::move(check.problems);
}

}  // namespace convoke::fakes
