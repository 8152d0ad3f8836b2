// Regular expressions.
#include "reconcilers/expression/cel/function.h"
#include "reconcilers/expression/cel/pattern.h"

namespace convoke::cel {
namespace {

// Compiling a pattern while evaluating costs far more than a step.
constexpr std::uint64_t kCompileSteps = 100;

// The pattern of a call whose arguments are text; null, with `failed` set, if there is none.
std::shared_ptr<const Pattern> pattern_of(const Call& call, Value& failed) {
  auto pattern = call.node.pattern;
  if (!pattern) {
    const auto source = call[1].as_text();
    auto compiled = call.budget.spend(kCompileSteps + source.size())
                        ? Pattern::compile(source)
                        : Result<std::shared_ptr<const Pattern>>(nullptr);
    if (!compiled) {  // what is wrong with it would repeat a part of it, which may be a secret
      failed = Call::error("the text given to " + call.node.text +
                           "() is no regular expression, or too long a one");
      return nullptr;
    }
    pattern = std::move(*compiled);
  }
  const std::uint64_t cost = Budget::steps_for(call[0].as_text().size());
  if (!pattern || !call.budget.spend(cost * Budget::steps_for(pattern->size()))) {
    failed = too_expensive();
    return nullptr;
  }
  return pattern;
}

Value matches(const Call& call) {
  if (!call.takes({Kind::String, Kind::String})) {
    return call.no_overload();
  }
  Value failed;
  const auto pattern = pattern_of(call, failed);
  return pattern ? Value::from_bool(pattern->find(call[0].as_text()).has_value()) : failed;
}

Value find(const Call& call) {
  if (!call.takes({Kind::String, Kind::String})) {
    return call.no_overload();
  }
  Value failed;
  const auto pattern = pattern_of(call, failed);
  if (!pattern) {
    return failed;
  }
  const auto text = call[0].as_text();
  const auto match = pattern->find(text);
  return call.text(match ? std::string(text.substr(match->begin, match->end - match->begin)) : "");
}

Value find_all(const Call& call) {
  if (!call.takes({Kind::String, Kind::String}) && !call.takes({Kind::String, Kind::String, Kind::Int})) {
    return call.no_overload();
  }
  Value failed;
  const auto pattern = pattern_of(call, failed);
  if (!pattern) {
    return failed;
  }
  const auto text = call[0].as_text();
  const std::int64_t most = call.size() == 3 ? call[2].as_int() : -1;
  std::vector<Value> found;
  std::size_t at = 0;
  while (at <= text.size() && (most < 0 || std::cmp_less(found.size(), most))) {
    const auto match = pattern->find(text, at);
    if (!match) {
      break;
    }
    const std::size_t length = match->end - match->begin;
    // A match looks at what is behind it too, so each one is paid for as a whole.
    if (!call.budget.spend(Budget::steps_for(text.size() - at)) || !call.budget.produce(length)) {
      return too_expensive();
    }
    found.push_back(Value::from_string(std::string(text.substr(match->begin, length))));
    at = match->end + (length == 0 ? 1 : 0);
  }
  return call.list(std::move(found));
}

constexpr Function kRegexFunctions[] = {
    {"matches", true, 2, 2, matches, 1},
    {"matches", false, 2, 2, matches, 1},
    {"find", true, 2, 2, find, 1},
    {"findAll", true, 2, 3, find_all, 1},
};

}  // namespace

FunctionTable regex_functions() {
  return kRegexFunctions;
}

}  // namespace convoke::cel
