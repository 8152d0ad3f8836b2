#include "reconcilers/workflow/parameters.h"

#include <unordered_map>
#include <utility>

namespace convoke::workflow {
namespace {

// "an array", "a string", "an Object"
std::string with_article(const std::string& type) {
  return (std::string("aeiouAEIOU").find(type.front()) == std::string::npos ? "a " : "an ") + type;
}

bool has_type(const Json& value, api::ParameterType type) {
  switch (type) {
    case api::ParameterType::String:
      return value.is_string();
    case api::ParameterType::Number:
      return value.is_number();
    case api::ParameterType::Boolean:
      return value.is_boolean();
    case api::ParameterType::Object:
      return value.is_object();
    case api::ParameterType::Array:
      return value.is_array();
  }
  return false;
}

std::string list_of(const std::vector<api::RawJson>& values) {
  std::string text;
  for (const auto& value : values) {
    text += (text.empty() ? "" : ", ") + value;
  }
  return api::cut_text(text, 200);
}

bool is_allowed(const api::Parameter& parameter, const Json& value) {
  if (parameter.allowed.empty()) {
    return true;
  }
  for (const auto& allowed : parameter.allowed) {
    const auto parsed = parse_json(allowed);
    if (parsed && *parsed == value) {
      return true;
    }
  }
  return false;
}

// Collects what is wrong, a few of it in full.
class Problems {
 public:
  void add(const std::string& problem) {
    constexpr int kShown = 5;
    if (++count_ <= kShown) {
      text_ += (text_.empty() ? "" : "; ") + problem;
    } else if (count_ == kShown + 1) {
      text_ += "; ...";
    }
  }
  bool none() const { return count_ == 0; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  int count_ = 0;
};

Result<Json> parse_given(const api::RawJson& given) {
  if (given.empty()) {
    return Json::object();
  }
  auto values = parse_json(given);
  if (!values) {
    return values.error().with_context("spec.parameters");
  }
  if (!values->is_object()) {
    return Error{ErrorCode::Invalid,
                 "spec.parameters: expected an object, got " + with_article(values->type_name())};
  }
  return values;
}

}  // namespace

std::string check_value(const api::Parameter& parameter, const Json& value) {
  if (!has_type(value, parameter.type)) {
    return std::string("expected a value of type ") + api::to_string(parameter.type) + ", got " +
           (value.is_null() ? "null" : with_article(value.type_name()));
  }
  if (!is_allowed(parameter, value)) {
    // What was given is not repeated: it may be a password in the wrong place, and this text ends in status
    // and Events.
    return "expected one of " + list_of(parameter.allowed) + ", which the value given is not";
  }
  return {};
}

Result<Json> resolve_parameters(const std::vector<api::Parameter>& parameters, const api::RawJson& given) {
  auto values = parse_given(given);
  if (!values) {
    return values;
  }
  Problems problems;
  std::unordered_map<std::string, const api::Parameter*> known;
  for (const auto& parameter : parameters) {
    known.emplace(parameter.name, &parameter);
    if (values->contains(parameter.name)) {
      continue;
    }
    if (!parameter.default_value.empty()) {
      if (auto value = parse_json(parameter.default_value)) {
        (*values)[parameter.name] = std::move(*value);
      }
    } else if (parameter.required) {
      problems.add("spec.parameters." + parameter.name + ": is required (" +
                   with_article(api::to_string(parameter.type)) + ")");
    }
  }
  for (const auto& [name, value] : values->items()) {
    const auto found = known.find(name);
    const auto problem =
        found == known.end() ? "the workflow has no such parameter" : check_value(*found->second, value);
    if (!problem.empty()) {
      problems.add("spec.parameters." + api::cut_text(name, 63) + ": " + problem);
    }
  }
  if (!problems.none()) {
    return Error{ErrorCode::Invalid, problems.text()};
  }
  return values;
}

}  // namespace convoke::workflow
