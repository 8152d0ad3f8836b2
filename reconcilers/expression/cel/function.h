// Functions: what they get, and where they are found by name. Internal to this folder.
//
// Every functions_*.cpp file holds the functions of one subject and one table of them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reconcilers/expression/cel/budget.h"
#include "reconcilers/expression/cel/node.h"
#include "reconcilers/expression/cel/value.h"

namespace convoke::cel {

// One call of a function: its arguments (the receiver first), none of which is a failure.
struct Call {
  std::span<const Value> args;
  Budget& budget;
  const Node& node;

  const Value& operator[](std::size_t i) const { return args[i]; }
  std::size_t size() const { return args.size(); }
  // Whether the arguments from `first` on are of these kinds, and no more.
  bool takes(std::initializer_list<Kind> kinds) const;

  // "no function indexOf for (int, string)"
  Value no_overload() const;
  static Value error(std::string message) { return Value::failure(std::move(message)); }

  // New values, counted against the budget.
  Value text(std::string value) const;
  Value bytes(std::string value) const;
  Value list(std::vector<Value> items) const;
};

struct Function {
  std::string_view name = {};
  bool is_receiver = false;
  std::size_t least_args = 0;  // the receiver included
  std::size_t most_args = 0;
  Value (*call)(const Call&) = nullptr;
  // The argument that is a regular expression, compiled beforehand where it is a literal; 0: none.
  std::size_t pattern_argument = 0;
};

constexpr std::size_t kAnyNumber = 1000;

using FunctionTable = std::span<const Function>;

FunctionTable conversion_functions();
FunctionTable core_functions();
FunctionTable time_functions();
FunctionTable string_functions();
FunctionTable format_functions();
FunctionTable regex_functions();
FunctionTable list_functions();
FunctionTable math_functions();
FunctionTable optional_functions();
FunctionTable network_functions();
FunctionTable quantity_functions();
FunctionTable semver_functions();
FunctionTable compare_functions();
FunctionTable url_functions();
FunctionTable named_format_functions();

// indexOf() and lastIndexOf() of text; lists have functions of these names too.
Value text_index_of(const Call& call);
Value text_last_index_of(const Call& call);

// Null if there is none. The form and the number of arguments choose among those of one name.
const Function* find_function(std::string_view name, bool is_receiver, std::size_t args);
// Whether there is a function of this name and form at all.
bool is_function_name(std::string_view name, bool is_receiver);

}  // namespace convoke::cel
