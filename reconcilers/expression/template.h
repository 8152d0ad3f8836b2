// Templating: strings with $( ) placeholders. Start here to read reconcilers/expression.
//
// "$(params.version)", "v$(params.major).$(params.minor)", "$(steps.build.outputs['sha256'])",
// "$(params.n * 2)"; "$$(" is a literal "$(". Inside the parentheses stands an expression of the Common
// Expression Language (cel/cel.h). A string that is one placeholder keeps the value's type; otherwise values
// are written into the text (strings as they are, numbers and booleans as JSON, objects and arrays as compact
// JSON). A name that does not exist is an error that names it.
//
// Pure functions and immutable values: safe from every thread. Errors: Invalid, with the position in the
// text; the reason is "InvalidTemplate", "TemplateTooLarge", or one of cel.h. No error repeats a value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "controller/base/result.h"

namespace convoke::expression {

using Json = nlohmann::json;

// One use of a name in a placeholder: its root name and the rest of its path, for checks before anything
// runs.
struct Reference {
  std::string text;               // the whole expression: "steps.build.outputs.image + '-debug'"
  std::vector<std::string> path;  // {"steps", "build", "outputs", "image"}; an index as its digits
};

// What names mean: the value of a root name ("params"), or nothing if there is no such name.
class Scope {
 public:
  virtual ~Scope() = default;
  virtual const Json* find(const std::string& root) const = 0;
};

// A Scope over one JSON object whose members are the roots.
class JsonScope final : public Scope {
 public:
  explicit JsonScope(Json roots) : roots_(std::move(roots)) {}
  const Json* find(const std::string& root) const override;

 private:
  Json roots_;
};

// All names in the placeholders of every string inside `value` (keys of objects are not templated). Error: a
// string that does not parse; its message names the JSON path below `where`
// ("spec.steps[build].task.parameters.image").
Result<std::vector<Reference>> references(const Json& value, const std::string& where);

// `value` with every string expanded. The result may hold at most `max_bytes` of text, and all expressions
// together may take kMaxSteps steps.
constexpr std::uint64_t kMaxSteps = 1'000'000;
Result<Json> expand(const Json& value, const Scope& scope, const std::string& where,
                    std::size_t max_bytes = 1024 * 1024);

}  // namespace convoke::expression
