// The Common Expression Language, as Kubernetes has it. Start here to read reconcilers/expression/cel.
//
//   auto program = Program::compile("agent.spec.capacity > 4 && 'gpu' in agent.spec.capabilities");
//   Variables variables;
//   variables.set("agent", agent_json);
//   Result<bool> holds = (*program)->evaluate_bool(variables);
//
// Types are checked while evaluating (the language's "dynamic" mode), functions and macros when compiling.
// Beyond the specification there are: optional values (a.?b, a[?b]), macros of two variables, cel.bind, and
// the functions for text, regular expressions, lists, sets, mathematics, base64, IP addresses, URLs,
// quantities, versions and named formats. There are no messages, only maps.
//
// Thread safety: a Program is immutable and may be evaluated by many threads at once.
//
// Ownership: the result of evaluate() may point into the Program and into what the Activation gave, and must
// not outlive them; evaluate_bool() and evaluate_json() give values of their own.
//
// Errors: Invalid, with a position, the line and a caret; the reason is one of those below. No message
// repeats a value, which may be a secret. Nothing throws. Hostile expressions end: their length, depth,
// steps, and the bytes that they make are bounded.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/base/result.h"
#include "reconcilers/expression/cel/value.h"

namespace convoke::cel {

inline constexpr const char* kInvalidExpression = "InvalidExpression";  // it does not compile
inline constexpr const char* kUnknownName = "UnknownName";            // a variable, field or key is not there
inline constexpr const char* kExpressionFailed = "ExpressionFailed";  // a wrong type, an overflow, ...
inline constexpr const char* kTooExpensive = "ExpressionTooExpensive";

constexpr std::size_t kMaxSourceBytes = 16 * 1024;

struct Limits {
  // One for each node of the expression that is evaluated, and for each element or 32 bytes of text looked
  // at.
  std::uint64_t steps = 100'000;
  // Of text, lists and maps that the evaluation makes, whether it keeps them or not; and, counted anew, of a
  // result that is made JSON.
  std::uint64_t bytes = 1024 * 1024;
};

struct Options {
  // Variables may have names with dots ("a.b"); the longest that exists is taken.
  bool qualified_names = false;
  // With qualified_names: where names are looked up first, from "a.b.name" outwards.
  std::string container = {};
  // Refuse functions that do not exist, or not with so many arguments, when compiling. Else calling them
  // fails.
  bool check_functions = true;
};

// The variables. find() is called when a name is evaluated, and again each time that it is.
class Activation {
 public:
  virtual ~Activation() = default;
  virtual std::optional<Value> find(std::string_view name) const = 0;
};

class Variables final : public Activation {
 public:
  // Borrows `value`, which outlives the results.
  void set(std::string name, const Json& value) { values_[std::move(name)] = Value::from_json(value); }
  void set(std::string name, Json&& value) = delete;
  void set(std::string name, Value value) { values_[std::move(name)] = std::move(value); }
  std::optional<Value> find(std::string_view name) const override;

 private:
  std::map<std::string, Value, std::less<>> values_;
};

// A use of a variable: its name, then the fields and constant keys that are taken from it.
struct Reference {
  std::vector<std::string> path;  // steps['unit-test'].outputs[0]: {"steps", "unit-test", "outputs", "0"}
  std::size_t offset = 0;         // of the variable in the source
};

struct Node;

class Program {
 public:
  static Result<std::shared_ptr<const Program>> compile(std::string source, const Options& options = {});
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // `left`, if given, becomes what is left of the limits, for those who share them among several evaluations.
  Result<Value> evaluate(const Activation& variables, const Limits& limits = {},
                         Limits* left = nullptr) const;
  // Error also if the result is not a bool.
  Result<bool> evaluate_bool(const Activation& variables, const Limits& limits = {}) const;
  // Error also if the result cannot be JSON: see to_json().
  Result<Json> evaluate_json(const Activation& variables, const Limits& limits = {}) const;

  const std::string& source() const { return source_; }
  // Every use of a variable, in the order of the source; for checks before anything runs.
  const std::vector<Reference>& references() const { return references_; }

 private:
  Program();

  std::string source_;
  std::unique_ptr<Node> root_;
  std::size_t slots_ = 0;
  std::vector<Reference> references_;
};

using ProgramPtr = std::shared_ptr<const Program>;

}  // namespace convoke::cel
