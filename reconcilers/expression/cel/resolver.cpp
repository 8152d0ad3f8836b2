#include "reconcilers/expression/cel/resolver.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "reconcilers/expression/cel/function.h"
#include "reconcilers/expression/cel/pattern.h"
#include "reconcilers/expression/cel/source.h"

namespace convoke::cel {
namespace {

constexpr std::array<std::string_view, 19> kTypes = {"bool",
                                                     "bytes",
                                                     "double",
                                                     "google.protobuf.Duration",
                                                     "google.protobuf.Timestamp",
                                                     "int",
                                                     "kubernetes.NamedFormat",
                                                     "kubernetes.Quantity",
                                                     "kubernetes.Semver",
                                                     "kubernetes.URL",
                                                     "list",
                                                     "map",
                                                     "net.CIDR",
                                                     "net.IP",
                                                     "null_type",
                                                     "optional_type",
                                                     "string",
                                                     "type",
                                                     "uint"};

// The type of this name, in static storage.
std::optional<std::string_view> find_type(std::string_view name) {
  const auto* found = std::find(kTypes.begin(), kTypes.end(), name);
  return found == kTypes.end() ? std::nullopt : std::optional(*found);
}

class Resolver {
 public:
  Resolver(std::string_view source, const Options& options) : source_(source), options_(options) {}

  Result<Resolution> run(Node& root) {
    visit(root);
    if (error_) {
      return *error_;
    }
    std::stable_sort(resolution_.references.begin(), resolution_.references.end(),
                     [](const Reference& a, const Reference& b) { return a.offset < b.offset; });
    return std::move(resolution_);
  }

 private:
  void fail(std::uint32_t offset, const std::string& what) {
    if (!error_) {
      error_ = error_at(source_, offset, what, kInvalidExpression);
    }
  }

  void visit(Node& node) {
    switch (node.kind) {
      case NodeKind::Name:
      case NodeKind::Select:
      case NodeKind::Index:
      case NodeKind::Has:
        visit_chain(node);
        break;
      case NodeKind::Call:
        visit_call(node);
        break;
      case NodeKind::Macro:
        visit_macro(node);
        break;
      default:
        visit_children(node);
    }
  }

  void visit_children(Node& node) {
    for (auto& child : node.children) {
      visit(*child);
    }
  }

  std::optional<std::size_t> find_local(const Node& name) const {
    if (name.is_absolute) {
      return std::nullopt;
    }
    const auto found = std::find_if(scope_.rbegin(), scope_.rend(),
                                    [&](const auto& local) { return local.first == name.text; });
    return found == scope_.rend() ? std::nullopt : std::optional(found->second);
  }

  // a.b['c'][0]: one reference, not four.
  void visit_chain(Node& top) {
    Reference reference;
    bool is_constant = true;
    if (walk_chain(top, reference, is_constant)) {
      resolution_.references.push_back(std::move(reference));
    }
  }

  // Whether the chain begins with a free variable. From the root on, as long as the path is constant, it is
  // recorded.
  bool walk_chain(Node& node, Reference& reference, bool& is_constant) {
    switch (node.kind) {
      case NodeKind::Name:
        return walk_name(node, reference);
      case NodeKind::Select:
        if (const auto type = type_of_chain(node)) {
          node.kind = NodeKind::Name;
          node.children.clear();
          node.text = std::string(*type);
          node.value = Value::from_type(*type);
          return false;
        }
        set_qualified_names(node);
        [[fallthrough]];
      case NodeKind::Has: {
        const bool is_free = walk_chain(*node.children[0], reference, is_constant);
        add_to_path(reference, is_constant, node.text);
        return is_free;
      }
      case NodeKind::Index: {
        const bool is_free = walk_chain(*node.children[0], reference, is_constant);
        walk_index(*node.children[1], reference, is_constant);
        return is_free;
      }
      default:
        is_constant = false;
        visit(node);
        return false;
    }
  }

  bool walk_name(Node& node, Reference& reference) {
    if (const auto slot = find_local(node)) {
      node.kind = NodeKind::Local;
      node.slots = {*slot};
      return false;
    }
    set_qualified_names(node);
    reference.path = {node.text};
    reference.offset = node.offset;
    if (const auto type = find_type(node.text)) {
      node.value = Value::from_type(*type);
      return false;
    }
    return true;
  }

  void walk_index(Node& index, Reference& reference, bool& is_constant) {
    if (index.kind == NodeKind::Literal && index.value.is(Kind::String)) {
      add_to_path(reference, is_constant, std::string(index.value.as_text()));
    } else if (index.kind == NodeKind::Literal && index.value.is(Kind::Int)) {
      add_to_path(reference, is_constant, std::to_string(index.value.as_int()));
    } else {
      is_constant = false;
      visit(index);
    }
  }

  static void add_to_path(Reference& reference, bool is_constant, const std::string& element) {
    if (is_constant) {
      reference.path.push_back(element);
    }
  }

  // "a.b.c" if the node is a chain of plain names whose first is no local; else nothing.
  std::optional<std::string> dotted(const Node& node) const {
    if (node.kind == NodeKind::Name) {
      return find_local(node) ? std::nullopt : std::optional(node.text);
    }
    if (node.kind != NodeKind::Select || node.is_optional) {
      return std::nullopt;
    }
    auto operand = dotted(*node.children[0]);
    return operand ? std::optional(*operand + "." + node.text) : std::nullopt;
  }

  std::optional<std::string_view> type_of_chain(const Node& node) const {
    const auto name = dotted(node);
    return name ? find_type(*name) : std::nullopt;
  }

  static bool is_absolute_chain(const Node& node) {
    return node.kind == NodeKind::Name ? node.is_absolute : is_absolute_chain(*node.children[0]);
  }

  void set_qualified_names(Node& node) const {
    const auto name = options_.qualified_names ? dotted(node) : std::nullopt;
    if (!name) {
      return;
    }
    std::string container = is_absolute_chain(node) ? "" : options_.container;
    while (!container.empty()) {
      node.names.push_back(container + "." + *name);
      const auto dot = container.rfind('.');
      container.resize(dot == std::string::npos ? 0 : dot);
    }
    node.names.push_back(*name);
  }

  void visit_call(Node& node) {
    // math.greatest(1, 2): what looks like a receiver may be the first part of the function's name.
    if (node.is_receiver) {
      const Node& receiver = *node.children[0];
      if (receiver.kind == NodeKind::Name && !find_local(receiver) &&
          is_function_name(receiver.text + "." + node.text, false)) {
        node.text = receiver.text + "." + node.text;
        node.is_receiver = false;
        node.children.erase(node.children.begin());
      }
    }
    visit_children(node);
    node.function = find_function(node.text, node.is_receiver, node.children.size());
    if (node.function == nullptr && options_.check_functions) {
      fail(node.offset,
           is_function_name(node.text, node.is_receiver)
               ? node.text + "() does not take " + std::to_string(written_arguments(node)) + " arguments"
               : "there is no function " + node.text + "()" +
                     (is_function_name(node.text, !node.is_receiver)
                          ? (node.is_receiver ? " of a value; write " + node.text + "(value, ...)"
                                              : "; write value." + node.text + "(...)")
                          : ""));
    }
    compile_pattern(node);
  }

  static std::size_t written_arguments(const Node& call) {
    return call.children.size() - (call.is_receiver ? 1 : 0);
  }

  void compile_pattern(Node& node) {
    const std::size_t position = node.function == nullptr ? 0 : node.function->pattern_argument;
    if (position == 0 || position >= node.children.size()) {
      return;
    }
    const Node& argument = *node.children[position];
    if (argument.kind != NodeKind::Literal || !argument.value.is(Kind::String)) {
      return;
    }
    auto pattern = Pattern::compile(argument.value.as_text());
    if (!pattern) {
      fail(argument.offset, pattern.error().message);
      return;
    }
    node.pattern = std::move(*pattern);
  }

  // The first child is outside of the variables' scope.
  void visit_macro(Node& node) {
    visit(*node.children[0]);
    const std::size_t outer = scope_.size();
    for (const auto& name : node.names) {
      node.slots.push_back(scope_.size());
      scope_.emplace_back(name, scope_.size());
    }
    resolution_.slots = std::max(resolution_.slots, scope_.size());
    for (std::size_t i = 1; i < node.children.size(); ++i) {
      visit(*node.children[i]);
    }
    scope_.resize(outer);
  }

  std::string_view source_;
  const Options& options_;
  std::vector<std::pair<std::string, std::size_t>> scope_;
  Resolution resolution_;
  std::optional<Error> error_;
};

}  // namespace

Result<Resolution> resolve(Node& root, std::string_view source, const Options& options) {
  return Resolver(source, options).run(root);
}

}  // namespace convoke::cel
