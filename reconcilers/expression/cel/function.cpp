#include "reconcilers/expression/cel/function.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

namespace convoke::cel {
namespace {

using Registry = std::unordered_map<std::string_view, std::vector<const Function*>>;

Registry build_registry() {
  Registry registry;
  for (const auto& table :
       {conversion_functions(), core_functions(), time_functions(), string_functions(), format_functions(),
        regex_functions(), list_functions(), math_functions(), optional_functions(), network_functions(),
        quantity_functions(), semver_functions(), compare_functions(), url_functions(),
        named_format_functions()}) {
    for (const Function& function : table) {
      registry[function.name].push_back(&function);
    }
  }
  return registry;
}

const std::vector<const Function*>& functions_named(std::string_view name) {
  static const Registry registry = build_registry();
  static const std::vector<const Function*> none;
  const auto found = registry.find(name);
  return found == registry.end() ? none : found->second;
}

}  // namespace

bool Call::takes(std::initializer_list<Kind> kinds) const {
  return std::equal(args.begin(), args.end(), kinds.begin(), kinds.end(),
                    [](const Value& value, Kind kind) { return value.is(kind); });
}

Value Call::no_overload() const {
  std::string kinds;
  for (const Value& arg : args) {
    kinds += (kinds.empty() ? "" : ", ") + std::string(arg.type_name());
  }
  return error("there is no function " + node.text + "() for (" + kinds + ")");
}

Value Call::text(std::string value) const {
  return budget.produce(value.size()) && budget.spend(Budget::steps_for(value.size()))
             ? Value::from_string(std::move(value))
             : too_expensive();
}

Value Call::bytes(std::string value) const {
  return budget.produce(value.size()) ? Value::from_bytes(std::move(value)) : too_expensive();
}

Value Call::list(std::vector<Value> items) const {
  if (!budget.produce(items.size() * Budget::kBytesPerElement) || !budget.spend(items.size())) {
    return too_expensive();
  }
  Value result = Value::from_list(std::move(items));
  return result.depth() > kMaxValueDepth ? error("the list nests too deeply") : result;
}

const Function* find_function(std::string_view name, bool is_receiver, std::size_t args) {
  for (const Function* function : functions_named(name)) {
    if (function->is_receiver == is_receiver && args >= function->least_args && args <= function->most_args) {
      return function;
    }
  }
  return nullptr;
}

bool is_function_name(std::string_view name, bool is_receiver) {
  const auto& functions = functions_named(name);
  return std::any_of(functions.begin(), functions.end(),
                     [&](const Function* function) { return function->is_receiver == is_receiver; });
}

}  // namespace convoke::cel
