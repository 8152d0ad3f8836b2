#include "reconcilers/expression/cel/macros.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace convoke::cel {
namespace {

// A macro over a receiver: receiver.name(variables..., bodies...).
struct Shape {
  std::string_view name;
  Macro macro;
  std::size_t variables;
  std::size_t least_bodies;
  std::size_t most_bodies;
};

constexpr std::array<Shape, 18> kShapes = {{
    {"all", Macro::All, 1, 1, 1},
    {"all", Macro::All, 2, 1, 1},
    {"exists", Macro::Exists, 1, 1, 1},
    {"exists", Macro::Exists, 2, 1, 1},
    {"exists_one", Macro::ExistsOne, 1, 1, 1},
    {"exists_one", Macro::ExistsOne, 2, 1, 1},
    {"existsOne", Macro::ExistsOne, 1, 1, 1},
    {"existsOne", Macro::ExistsOne, 2, 1, 1},
    {"filter", Macro::Filter, 1, 1, 1},
    {"map", Macro::Map, 1, 1, 2},
    {"transformList", Macro::Map, 2, 1, 2},
    {"transformMap", Macro::TransformMap, 2, 1, 2},
    {"transformMapEntry", Macro::TransformMapEntry, 2, 1, 2},
    {"optMap", Macro::OptionalMap, 1, 1, 1},
    {"optFlatMap", Macro::OptionalFlatMap, 1, 1, 1},
    {"or", Macro::OptionalOr, 0, 1, 1},
    {"orValue", Macro::OptionalOrValue, 0, 1, 1},
    {"cel.bind", Macro::Bind, 1, 2, 2},
}};

bool is_simple_name(const Node& node) {
  return node.kind == NodeKind::Name && !node.is_absolute;
}

MacroResult misuse(const Node& node, std::string problem) {
  return {true, std::move(problem), node.offset};
}

// The number of arguments tells map(x, e) from map(x, c, e), and all(x, c) from all(i, x, c).
const Shape* find_shape(std::string_view name, std::size_t arguments) {
  const auto* found = std::find_if(kShapes.begin(), kShapes.end(), [&](const Shape& shape) {
    return shape.name == name && arguments >= shape.variables + shape.least_bodies &&
           arguments <= shape.variables + shape.most_bodies;
  });
  return found == kShapes.end() ? nullptr : found;
}

MacroResult expand_has(Node& call) {
  Node& argument = *call.children[0];
  if (argument.kind != NodeKind::Select || argument.is_optional) {
    return misuse(argument, "has() asks for a field, such as has(task.spec.title)");
  }
  NodePtr operand = std::move(argument.children[0]);
  call.kind = NodeKind::Has;
  call.text = argument.text;
  call.children.clear();
  call.children.push_back(std::move(operand));
  return {true, {}, 0};
}

// Turns the call with `first` as the position of its variables into a macro.
MacroResult expand_shape(Node& call, const Shape& shape, std::size_t first) {
  for (std::size_t i = first; i < first + shape.variables; ++i) {
    const Node& variable = *call.children[i];
    if (!is_simple_name(variable)) {
      return misuse(variable, call.text + "() takes a name for its variable here");
    }
    if (std::find(call.names.begin(), call.names.end(), variable.text) != call.names.end()) {
      return misuse(variable, "there are two variables \"" + variable.text + "\"");
    }
    call.names.push_back(variable.text);
  }
  const auto begin = call.children.begin() + static_cast<std::ptrdiff_t>(first);
  call.children.erase(begin, begin + static_cast<std::ptrdiff_t>(shape.variables));
  call.kind = NodeKind::Macro;
  call.macro = shape.macro;
  return {true, {}, 0};
}

}  // namespace

MacroResult expand_macro(Node& call) {
  if (!call.is_receiver) {
    return call.text == "has" && call.children.size() == 1 ? expand_has(call) : MacroResult{};
  }
  const Node& receiver = *call.children[0];
  if (call.text == "bind" && is_simple_name(receiver) && receiver.text == "cel") {
    const Shape* shape = find_shape("cel.bind", call.children.size() - 1);
    if (shape == nullptr) {
      return misuse(call, "cel.bind() takes a name, its value and an expression");
    }
    call.children.erase(call.children.begin());
    call.is_receiver = false;
    return expand_shape(call, *shape, 0);
  }
  const Shape* shape = find_shape(call.text, call.children.size() - 1);
  return shape == nullptr ? MacroResult{} : expand_shape(call, *shape, 1);
}

}  // namespace convoke::cel
