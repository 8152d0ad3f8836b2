// Templating: strings with $( ) placeholders. Start here to read reconcilers/expression.
//
// "$(params.version)", "v$(params.major).$(params.minor)", "$(steps.build.outputs['sha256'])", "$$(" is a
// literal "$(". Inside the parentheses stands a path: a name, then .field, ['key'], ["key"] or [0]. A string
// that is one placeholder keeps the value's type; otherwise values are written into the text (strings as they
// are, numbers and booleans as JSON, objects and arrays as compact JSON). A name that does not exist is an
// error that names it.
//
// Pure functions and immutable values: safe from every thread. Errors: Invalid, with the position in the
// text.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "controller/base/result.h"

namespace convoke::expression {

using Json = nlohmann::json;

// One parsed placeholder: its root name and the rest of its path, for checks before anything runs.
struct Reference {
  std::string text;               // "steps.build.outputs.image"
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

// All placeholders of every string inside `value` (keys of objects are not templated). Error: a string that
// does not parse; its message names the JSON path below `where` ("spec.steps[build].task.parameters.image").
Result<std::vector<Reference>> references(const Json& value, const std::string& where);

// `value` with every string expanded. The result may hold at most `max_bytes` of text.
Result<Json> expand(const Json& value, const Scope& scope, const std::string& where,
                    std::size_t max_bytes = 1024 * 1024);

}  // namespace convoke::expression
