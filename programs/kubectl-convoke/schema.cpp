#include "programs/kubectl-convoke/schema.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include <re2/re2.h>

#include "controller/base/similar_word.h"
#include "controller/base/time_format.h"
#include "programs/kubectl-convoke/field_path.h"
#include "programs/kubectl-convoke/finding_text.h"
#include "programs/kubectl-convoke/json_view.h"
#include "programs/kubectl-convoke/yaml_document.h"
#include "reconcilers/api/common.h"
#include "reconcilers/expression/cel/cel.h"

namespace convoke::plugin {
namespace {

// A rule of a CRD may cost the API server far more than one of a Task may cost the operator.
constexpr cel::Limits kRuleLimits{10'000'000, std::uint64_t{64} * 1024 * 1024};
constexpr std::size_t kMaxShown = 100;
// What the CRDs have for durations, which says nothing to people.
constexpr char kDurationPattern[] = R"(^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$)";

bool has_type(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return value.is_number_integer();
  return type != "number" || value.is_number();
}

bool same_letters(const std::string& a, const std::string& b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

// Whether the JSON pointer is that of a step: ".../steps/3", ".../finally/0".
bool is_step(const std::string& pointer) {
  static const re2::RE2 kStep(".*/(steps|finally)/[0-9]+");
  return re2::RE2::FullMatch(pointer, kStep);
}

std::string list_of(const Json& values) {
  std::string text;
  for (const auto& value : values) text += (text.empty() ? "" : ", ") + as_text(value);
  return text;
}

const Json* member(const Json& object, const std::string& key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() ? &*found : nullptr;
}

bool is_true(const Json& schema, const std::string& key) {
  const Json* value = member(schema, key);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

// A null where none is allowed is as good as absent.
bool is_no_value(const Json& schema, const Json& value) {
  return value.is_null() && !is_true(schema, "nullable");
}

void set_defaults(const Json& schema, Json& value);

void set_default(const std::string& name, const Json& schema, Json& object) {
  const Json* otherwise = member(schema, "default");
  const auto found = object.find(name);
  if (found == object.end() || is_no_value(schema, *found)) {
    if (otherwise == nullptr) {
      object.erase(name);
      return;
    }
    object[name] = *otherwise;
  }
  set_defaults(schema, object[name]);
}

void set_defaults_of_all(const Json& schema, Json& object) {
  for (auto item = object.begin(); item != object.end();) {
    if (is_no_value(schema, *item)) {
      item = object.erase(item);
    } else {
      set_defaults(schema, *item++);
    }
  }
}

// The object as the API server validates it: with defaults, also instead of nulls, and without other nulls.
// Those of a list stay.
void set_defaults(const Json& schema, Json& value) {
  const Json* properties = member(schema, "properties");
  if (properties != nullptr && value.is_object()) {
    for (const auto& [name, property] : properties->items()) set_default(name, property, value);
  }
  const Json* additional = member(schema, "additionalProperties");
  if (additional != nullptr && additional->is_object() && value.is_object()) {
    set_defaults_of_all(*additional, value);
  }
  if (const Json* items = member(schema, "items"); items != nullptr && value.is_array()) {
    for (auto& item : value) set_defaults(*items, item);
  }
}

class Validator {
 public:
  std::vector<SchemaFinding> findings;

  void check(const Json& schema, const Json& value, const std::string& pointer) {
    if (value.is_null() && is_true(schema, "nullable")) return;
    if (!check_type(schema, value, pointer)) return;
    const auto before = findings.size();
    check_enum(schema, value, pointer);
    if (value.is_string()) check_string(schema, value.get_ref<const std::string&>(), pointer);
    if (value.is_number()) check_number(schema, value, pointer);
    if (value.is_array()) check_array(schema, value, pointer);
    if (value.is_object()) check_object(schema, value, pointer);
    check_rules(schema, value, pointer, findings.size() > before);
  }

 private:
  void add(const std::string& pointer, std::string message, bool about_key = false) {
    if (findings.size() < kMaxShown) findings.push_back({pointer, std::move(message), about_key});
  }

  bool check_type(const Json& schema, const Json& value, const std::string& pointer) {
    if (is_true(schema, "x-kubernetes-int-or-string")) {
      if (value.is_number_integer() || value.is_string()) return true;
      add(pointer, "must be an integer or a string, not " + type_of(value));
      return false;
    }
    const std::string type = text_at(schema, "/type");
    if (type.empty() || has_type(value, type)) return true;
    std::string hint;
    if (type == "string" && !value.is_null() && value.is_primitive()) hint = ": put it in quotes";
    add(pointer, "must be of type " + type + ", not " + type_of(value) + hint);
    return false;
  }

  void check_enum(const Json& schema, const Json& value, const std::string& pointer) {
    const Json* allowed = member(schema, "enum");
    if (allowed == nullptr || std::find(allowed->begin(), allowed->end(), value) != allowed->end()) return;
    std::vector<std::string> words;
    for (const auto& word : *allowed) words.push_back(as_text(word));
    const auto similar = most_similar(as_text(value), words);
    add(pointer, quoted(as_text(value)) + " is not one of " + list_of(*allowed) +
                     (similar.empty() ? "" : "; did you mean " + similar + "?"));
  }

  void check_string(const Json& schema, const std::string& text, const std::string& pointer) {
    if (!check_length(schema, text, pointer)) return;
    if (const auto pattern = text_at(schema, "/pattern"); !pattern.empty() && !matches(pattern, text)) {
      add(pointer,
          pattern == kDurationPattern ? no_duration(text) : quoted(text) + " does not match " + pattern);
    }
    if (text_at(schema, "/format") == "date-time" && !parse_time(text)) {
      add(pointer, quoted(text) + " is not a time such as 2026-01-31T12:00:00Z");
    }
  }

  // What is empty or too long need not be told to be wrong in other ways too.
  bool check_length(const Json& schema, const std::string& text, const std::string& pointer) {
    const auto characters = static_cast<std::int64_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
    const auto least = number_at(schema, "/minLength");
    const auto most = number_at(schema, "/maxLength", -1);
    if (characters < least) {
      add(pointer, text.empty() ? "must not be empty" : "needs at least " + counted(least, "character"));
    } else if (most >= 0 && characters > most) {
      add(pointer, "has " + counted(characters, "character") + "; at most " + std::to_string(most) +
                       (most == 1 ? " is allowed" : " are allowed"));
    }
    return characters >= least && (most < 0 || characters <= most);
  }

  static std::string no_duration(const std::string& text) {
    const bool days = text.find_first_of("dD") != std::string::npos;
    return quoted(text) + R"( is not a duration such as "90s", "5m" or "1h30m")" +
           (days ? " (a day is 24h)" : "");
  }

  static bool matches(const std::string& pattern, const std::string& text) {
    const re2::RE2 expression(pattern, re2::RE2::Quiet);
    return !expression.ok() || re2::RE2::PartialMatch(text, expression);
  }

  void check_number(const Json& schema, const Json& value, const std::string& pointer) {
    const double number = value.get<double>();
    const Json* least = member(schema, "minimum");
    const Json* most = member(schema, "maximum");
    const bool is_int32 = text_at(schema, "/format") == "int32";
    if (least != nullptr && number < least->get<double>()) {
      add(pointer, "must be at least " + least->dump());
    } else if (most != nullptr && number > most->get<double>()) {
      add(pointer, "must be at most " + most->dump());
    } else if (is_int32 && (number < std::numeric_limits<std::int32_t>::min() ||
                            number > std::numeric_limits<std::int32_t>::max())) {
      add(pointer, "does not fit 32 bits");
    }
  }

  void check_array(const Json& schema, const Json& list, const std::string& pointer) {
    const auto size = static_cast<std::int64_t>(list.size());
    if (const auto least = number_at(schema, "/minItems"); size < least) {
      add(pointer, "needs at least " + counted(least, "item"));
    }
    if (const auto most = number_at(schema, "/maxItems", -1); most >= 0 && size > most) {
      add(pointer, "has " + counted(size, "item") + "; at most " + std::to_string(most) +
                       (most == 1 ? " is allowed" : " are allowed"));
    }
    check_duplicates(schema, list, pointer);
    const Json* items = member(schema, "items");
    for (std::size_t i = 0; items != nullptr && i < list.size(); ++i) {
      check(*items, list[i], pointer + "/" + std::to_string(i));
    }
  }

  void check_duplicates(const Json& schema, const Json& list, const std::string& pointer) {
    const auto kind = text_at(schema, "/x-kubernetes-list-type");
    if (kind != "set" && kind != "map") return;
    const auto keys = texts_at(schema, "/x-kubernetes-list-map-keys");
    std::set<Json> seen;
    for (std::size_t i = 0; i < list.size(); ++i) {
      Json identity = list[i];
      std::string told = as_text(identity);
      if (kind == "map") {
        identity = Json::array();
        told.clear();
        for (const auto& key : keys) {
          const Json* value = member(list[i], key);
          identity.push_back(value == nullptr ? Json() : *value);
          told += (told.empty() ? "" : ", ") + key + " " + quoted(as_text(identity.back()));
        }
      }
      if (!seen.insert(identity).second) {
        add(pointer + "/" + std::to_string(i), "is there twice: " + told);
      }
    }
  }

  void check_object(const Json& schema, const Json& object, const std::string& pointer) {
    for (const auto& required : texts_at(schema, "/required")) {
      if (!object.contains(required)) add(pointer, "the field " + quoted(required) + " is missing");
    }
    if (const auto most = number_at(schema, "/maxProperties", -1);
        most >= 0 && static_cast<std::int64_t>(object.size()) > most) {
      add(pointer, "has " + std::to_string(object.size()) + " entries; at most " + std::to_string(most) +
                       " are allowed");
    }
    const Json* properties = member(schema, "properties");
    const Json* additional = member(schema, "additionalProperties");
    const bool open =
        is_true(schema, "x-kubernetes-preserve-unknown-fields") || (additional && additional->is_boolean());
    if (is_step(pointer)) step_properties_ = properties;
    for (const auto& [name, value] : object.items()) {
      const Json* property = properties == nullptr ? nullptr : member(*properties, name);
      const auto child = pointer + "/" + escaped_token(name);
      if (property != nullptr) {
        check(*property, value, child);
      } else if (additional != nullptr && additional->is_object()) {
        check(*additional, value, child);
      } else if (!open) {
        add_unknown(properties, name, child);
      }
    }
  }

  void add_unknown(const Json* properties, const std::string& name, const std::string& pointer) {
    std::vector<std::string> known;
    if (properties != nullptr) {
      for (const auto& [property, schema] : properties->items()) known.push_back(property);
    }
    const auto similar = most_similar(name, known);
    const auto of_step = field_of_step(name, pointer);
    std::string hint;
    if (!of_step.empty()) {
      hint = "; " + quoted(of_step) + " belongs to the step, beside task";
    } else if (!similar.empty()) {
      hint = "; did you mean " + quoted(similar) + "?";
    } else if (!known.empty() && known.size() <= 12) {
      hint = "; there are " + list_of(Json(known));
    }
    add(pointer, "unknown field " + quoted(name) + hint, true);
  }

  // The step's own field that stands in its task by mistake.
  std::string field_of_step(const std::string& name, const std::string& pointer) const {
    const auto parent = pointer.substr(0, pointer.rfind('/'));
    const bool in_task = parent.ends_with("/task") && is_step(parent.substr(0, parent.rfind('/')));
    if (!in_task || step_properties_ == nullptr) return "";
    for (const auto& [property, schema] : step_properties_->items()) {
      if (same_letters(property, name)) return property;
    }
    return "";
  }

  // Rules that compare with what was there before say nothing of an object that is new. Nor do those of a
  // text or number that is wrong already, and those that cannot be evaluated because of what was found.
  void check_rules(const Json& schema, const Json& value, const std::string& pointer, bool found_already) {
    if (found_already && value.is_primitive()) return;
    for (const auto& rule : objects_at(schema, "/x-kubernetes-validations")) {
      const auto source = text_at(rule, "/rule");
      if (source.find("oldSelf") != std::string::npos) continue;
      const auto program = cel::Program::compile(source);
      if (!program) {
        add(pointer, "the rule " + source + " cannot be read: " + program.error().message);
        continue;
      }
      cel::Variables variables;
      variables.set("self", value);
      const auto holds = (*program)->evaluate_bool(variables, kRuleLimits);
      if (holds ? *holds : found_already) continue;
      std::string message = text_at(rule, "/message");
      if (message.empty()) message = "must satisfy " + source;
      add(pointer + pointer_of_field(text_at(rule, "/fieldPath")), message);
    }
  }

  // ".spec.cancel": "/spec/cancel"
  static std::string pointer_of_field(std::string path) {
    std::replace(path.begin(), path.end(), '.', '/');
    return path;
  }

  const Json* step_properties_ = nullptr;  // of the step that is looked at
};

}  // namespace

const Schemas& Schemas::built_in() {
  static const Schemas kSchemas(embedded_crds());
  return kSchemas;
}

Schemas::Schemas(const std::vector<std::string>& crds) {
  for (const auto& text : crds) {
    const auto documents = parse_yaml(text, "CRD");
    for (std::size_t i = 0; documents && i < documents->size(); ++i) {
      const Json& crd = (*documents)[i].value;
      Json& schema = schemas_[text_at(crd, "/spec/names/kind")];
      schema = value_at(crd, "/spec/versions/0/schema/openAPIV3Schema");
      // Metadata is open here: the fields of every object are no part of a CRD, and are checked elsewhere.
      schema["properties"]["metadata"]["x-kubernetes-preserve-unknown-fields"] = true;
    }
  }
}

std::vector<std::string> Schemas::kinds() const {
  std::vector<std::string> kinds;
  for (const auto& [kind, schema] : schemas_) kinds.push_back(kind);
  return kinds;
}

bool Schemas::knows(const std::string& kind) const {
  return schemas_.contains(kind);
}

std::vector<SchemaFinding> Schemas::check(const std::string& kind, const Json& object) const {
  const Json& schema = schemas_.at(kind);
  Json complete = object;
  if (complete.is_object()) {
    const Json& name = value_at(object, "/metadata/name");
    complete["metadata"] = {{"name", name.is_string() ? name : Json("")}};
    complete.erase("status");
  }
  set_defaults(schema, complete);
  if (complete.is_object()) complete.erase("status");
  Validator validator;
  validator.check(schema, complete, "");
  return validator.findings;
}

}  // namespace convoke::plugin
