// The syntax tree. Built by the parser, completed by the resolver, then immutable. Internal to this folder.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "reconcilers/expression/cel/value.h"

namespace convoke::cel {

struct Function;
class Pattern;

enum class NodeKind : std::uint8_t {
  Literal,      // value
  Name,         // text; a variable of the activation, or a type
  Local,        // text, slots[0]; the variable of a macro
  Select,       // children: operand; text: the field; is_optional: operand.?field
  Index,        // children: operand, index; is_optional: operand[?index]
  Has,          // children: operand; text: the field
  Not,          // children: operand
  Negate,       // children: operand
  Binary,       // children: left, right; op
  And,          // children: two or more
  Or,           // children: two or more
  Conditional,  // children: condition, then, otherwise
  List,         // children: elements; optionals
  Map,          // children: key, value, key, value, ...; optionals, one for each entry
  Call,         // children: arguments, the receiver first; function
  Macro,        // macro; children; names and slots
};

enum class Operator : std::uint8_t {
  Equal,
  NotEqual,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  In,
  Add,
  Subtract,
  Multiply,
  Divide,
  Modulo,
};

enum class Macro : std::uint8_t {
  All,                // children: range, condition
  Exists,             // children: range, condition
  ExistsOne,          // children: range, condition
  Filter,             // children: range, condition
  Map,                // children: range, [condition,] element
  TransformMap,       // children: range, [condition,] value
  TransformMapEntry,  // children: range, [condition,] map of one entry
  Bind,               // children: value, body
  OptionalMap,        // children: optional, body
  OptionalFlatMap,
  OptionalOr,       // children: optional, optional
  OptionalOrValue,  // children: optional, value
};

struct Node;
using NodePtr = std::unique_ptr<Node>;

// A program's tree is at most this deep, so that all walks may recurse.
constexpr int kMaxTreeDepth = 250;

struct Node {
  NodeKind kind = NodeKind::Literal;
  Operator op = Operator::Equal;
  Macro macro = Macro::All;
  bool is_optional = false;
  bool is_absolute = false;  // Name: written with a leading dot, never a local
  bool is_receiver = false;  // Call: written as receiver.function(...)
  int depth = 1;
  std::uint32_t offset = 0;
  std::string text;
  Value value;
  std::vector<NodePtr> children;
  std::vector<bool> optionals;
  std::vector<std::string>
      names;  // Macro: its variables; Name and Select: what it may be called, if qualified
  std::vector<std::size_t> slots;
  const Function* function = nullptr;
  std::shared_ptr<const Pattern> pattern;  // Call: the regular expression, where it is a literal
};

}  // namespace convoke::cel
