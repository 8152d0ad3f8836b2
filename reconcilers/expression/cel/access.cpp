// Fields, keys and elements, and what to say where there are none.
#include <algorithm>

#include "reconcilers/expression/cel/evaluator.h"
#include "reconcilers/expression/cel/number.h"

namespace convoke::cel {
namespace {

constexpr std::size_t kShownNames = 10;

// "there are a, b, c", so that a typo is easy to see.
std::string member_names(const Value& map) {
  std::string names;
  std::size_t shown = 0;
  map.each_entry([&](const Value& key, const Value&) {
    names += (shown == 0 ? "" : ", ") + (shown == kShownNames ? "..." : describe(key));
    return shown++ < kShownNames;
  });
  return names.empty() ? "it has none" : "there are " + names;
}

// A key that the expression itself holds; one that it computed may be a secret.
std::string key_text(const Node& node, const Value& key) {
  if (node.kind == NodeKind::Index && node.children[1]->kind != NodeKind::Literal) {
    return "such key";
  }
  return key.is(Kind::String) ? "\"" + describe(key) + "\"" : describe(key);
}

Value unknown_key(const Node& node, const Value& operand, const Value& key) {
  const std::string path = path_text(*node.children[0]);
  const std::string wanted = key_text(node, key);
  if (operand.is(Kind::Map)) {
    return Value::failure(path + " has no " + wanted + "; " + member_names(operand), kUnknownName);
  }
  if (operand.is(Kind::List)) {
    return Value::failure(path + " is a list of " + std::to_string(operand.size()) + " and has no " +
                              (key.is_number() ? "element " : "") + wanted,
                          kUnknownName);
  }
  return Value::failure(path + " is a " + std::string(operand.type_name()) + " and has no " + wanted,
                        kUnknownName);
}

// The position that an index means in a list; 1, 1u and 1.0 are the same.
std::optional<std::size_t> list_position(const Value& list, const Value& index) {
  const Value key = normalized_key(index);
  std::uint64_t position = 0;
  if (key.is(Kind::Int) && key.as_int() >= 0) {
    position = static_cast<std::uint64_t>(key.as_int());
  } else if (key.is(Kind::Uint)) {
    position = key.as_uint();
  } else {
    return std::nullopt;
  }
  return position < list.size() ? std::optional(static_cast<std::size_t>(position)) : std::nullopt;
}

std::optional<Value> find_in(const Value& container, const Value& key) {
  if (container.is(Kind::Map)) {
    return container.find(key);
  }
  const auto position = list_position(container, key);
  return position ? std::optional(container.at(*position)) : std::nullopt;
}

bool can_have(const Value& container, const Value& key) {
  return container.is(Kind::Map) || (container.is(Kind::List) && key.is_number());
}

Value to_optional(std::optional<Value> found) {
  return found ? Value::optional_of(std::move(*found)) : Value::none();
}

// For operand.?key, and for operand.key where the operand is optional already: a miss is no failure, a wrong
// type is.
Value optional_access(const Node& node, const Value& operand, const Value& key) {
  if (!operand.is(Kind::Optional)) {
    return can_have(operand, key) ? to_optional(find_in(operand, key)) : unknown_key(node, operand, key);
  }
  const auto inner = operand.as_optional();
  return inner ? optional_access(node, *inner, key) : Value::none();
}

}  // namespace

std::string path_text(const Node& node) {
  switch (node.kind) {
    case NodeKind::Name:
    case NodeKind::Local:
      return node.text;
    case NodeKind::Select:
      return path_text(*node.children[0]) + "." + node.text;
    case NodeKind::Index: {
      const Node& index = *node.children[1];
      const bool is_text = index.kind == NodeKind::Literal && index.value.is(Kind::String);
      return path_text(*node.children[0]) + "[" +
             (index.kind != NodeKind::Literal ? "..."
              : is_text                       ? "'" + describe(index.value) + "'"
                                              : describe(index.value)) +
             "]";
    }
    default:
      return "this value";
  }
}

Value select_field(const Node& node, const Value& operand) {
  if (operand.is(Kind::Map) && !node.is_optional) {
    if (auto found = operand.find(std::string_view(node.text))) {
      return std::move(*found);
    }
  }
  const Value key = Value::borrow_string(node.text);
  return node.is_optional || operand.is(Kind::Optional) ? optional_access(node, operand, key)
                                                        : unknown_key(node, operand, key);
}

Value index_into(const Node& node, const Value& operand, const Value& key) {
  if (node.is_optional || operand.is(Kind::Optional)) {
    return optional_access(node, operand, key);
  }
  if (can_have(operand, key)) {
    if (auto found = find_in(operand, key)) {
      return std::move(*found);
    }
  }
  return unknown_key(node, operand, key);
}

}  // namespace convoke::cel
