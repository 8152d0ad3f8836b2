// A string with $( ) placeholders, as people write them into parameters.

#include "controller/kube/json.h"
#include "reconcilers/expression/template.h"
#include "tests/fuzz/check.h"

namespace {

const convoke::expression::JsonScope& scope() {
  static const convoke::expression::JsonScope scope(convoke::Json{
      {"params", {{"a", "text"}, {"n", 3}, {"deep", {{"list", {1, "two", nullptr}}}}}},
      {"steps", {{"build", {{"outputs", {{"image", "app:1"}}}, {"phase", "Succeeded"}}}}},
      {"run", {{"name", "r"}}},
  });
  return scope;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convoke;
  constexpr std::size_t kMaxBytes = 4096;
  const Json text = std::string(fuzz::as_text(data, size));
  const auto named = expression::references(text, "spec.text");
  const auto expanded = expression::expand(text, scope(), "spec.text", kMaxBytes);
  if (expanded) {
    fuzz::check(named.has_value(), "what can be expanded can be read");
    fuzz::check(dump_json(*expanded).size() <= 6 * kMaxBytes + 2, "the result is not larger than allowed");
  } else {
    fuzz::check(expanded.error().message.find("spec.text") != std::string::npos, "an error names the field");
  }
  return 0;
}
