// An expression, as people write them into Workflows and rules.

#include "controller/kube/json.h"
#include "reconcilers/expression/cel/cel.h"
#include "tests/fuzz/check.h"

namespace {

const convoke::Json& document() {
  static const convoke::Json document = {
      {"spec", {{"capacity", 10}, {"capabilities", {"compile", "gpu"}}, {"ratio", 0.5}, {"text", "a,b,c"}}},
      {"labels", {{"zone", "a"}, {"convoke.dev/team", "blue"}}},
      {"nested", {{"list", {1, "two", nullptr, {{"deep", true}}}}}},
  };
  return document;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convoke;
  const std::string source(fuzz::as_text(data, size));
  const auto program = cel::Program::compile(source);
  if (!program) {
    fuzz::check(program.error().reason == cel::kInvalidExpression,
                "what does not compile is an invalid expression");
    fuzz::check(!program.error().message.empty(), "an error says why");
    return 0;
  }
  constexpr cel::Limits kLimits{.steps = 20'000, .bytes = 64 * 1024};
  cel::Variables variables;
  variables.set("agent", document());
  const auto value = (*program)->evaluate_json(variables, kLimits);
  if (value) {
    const auto again = (*program)->evaluate_json(variables, kLimits);
    fuzz::check(again && *again == *value, "the same expression gives the same value");
    (void)dump_json(*value);
  } else {
    fuzz::check(!value.error().message.empty() && value.error().code == ErrorCode::Invalid,
                "an error says why");
  }
  for (const auto& reference : (*program)->references()) {
    fuzz::check(!reference.path.empty() && reference.offset < source.size(),
                "a reference has a name and a place");
  }
  return 0;
}
