#include <utility>

#include "reconcilers/expression/cel/cel.h"
#include "reconcilers/expression/cel/evaluator.h"
#include "reconcilers/expression/cel/parser.h"
#include "reconcilers/expression/cel/resolver.h"
#include "reconcilers/expression/cel/source.h"

namespace convoke::cel {

std::optional<Value> Variables::find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::nullopt : std::optional(found->second);
}

Program::Program() = default;
Program::~Program() = default;

Result<ProgramPtr> Program::compile(std::string source, const Options& options) {
  if (source.size() > kMaxSourceBytes) {
    return Error{ErrorCode::Invalid,
                 "an expression has at most " + std::to_string(kMaxSourceBytes) + " bytes, this one has " +
                     std::to_string(source.size()),
                 kInvalidExpression};
  }
  std::shared_ptr<Program> program(new Program());
  program->source_ = std::move(source);
  auto root = parse(program->source_);
  if (!root) {
    return root.error();
  }
  program->root_ = std::move(*root);
  auto resolution = resolve(*program->root_, program->source_, options);
  if (!resolution) {
    return resolution.error();
  }
  program->slots_ = resolution->slots;
  program->references_ = std::move(resolution->references);
  return ProgramPtr(std::move(program));
}

Result<Value> Program::evaluate(const Activation& variables, const Limits& limits, Limits* left) const {
  Evaluator evaluator(variables, limits, slots_);
  const Value value = evaluator.evaluate(*root_);
  if (left != nullptr) {
    *left = evaluator.left();
  }
  if (value.is_failure()) {
    const Failure& failure = value.as_failure();
    return error_at(source_, failure.offset.value_or(0), failure.message, failure.reason);
  }
  return value;
}

Result<bool> Program::evaluate_bool(const Activation& variables, const Limits& limits) const {
  auto value = evaluate(variables, limits);
  if (!value) {
    return value.error();
  }
  if (!value->is(Kind::Bool)) {
    return Error{ErrorCode::Invalid,
                 "the expression is to be true or false, and gives a " + std::string(value->type_name()) +
                     ": " + source_,
                 kExpressionFailed};
  }
  return value->as_bool();
}

Result<Json> Program::evaluate_json(const Activation& variables, const Limits& limits) const {
  const auto value = evaluate(variables, limits);
  return value ? to_json(*value, limits.bytes) : Result<Json>(value.error());
}

}  // namespace convoke::cel
