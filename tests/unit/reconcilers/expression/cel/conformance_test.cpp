// The language's own conformance cases, where they lie beside the checkout.
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "tests/conformance/cel_cases.h"

namespace convoke::conformance {
namespace {

TEST(CelConformance, EveryCaseOfTheLanguageAndOfTheExtensionsPasses) {
  const std::string path = find_cases(CONVOKE_SOURCE_DIR);
  if (path.empty()) {
    GTEST_SKIP()
        << "there are no conformance cases beside this checkout: put them into ../shared/cel-conformance, or "
           "set CONVOKE_CEL_CONFORMANCE";
  }
  const auto outcomes = run_file(path);
  ASSERT_TRUE(outcomes) << outcomes.error().message;
  std::map<std::string, int> passed;
  for (const auto& outcome : *outcomes) {
    EXPECT_EQ(outcome.problem, "") << outcome.file << "/" << outcome.section << "/" << outcome.name << ": "
                                   << outcome.expression;
    EXPECT_FALSE(outcome.is_repaired && outcome.file != "parse") << outcome.name;
    ++passed[outcome.file];
  }
  for (const char* file :
       {"basic",       "comparisons", "conversions", "fields",       "fp_math",      "integer_math",
        "lists",       "logic",       "macros",      "macros2",      "namespace",    "parse",
        "plumbing",    "string",      "timestamps",  "bindings_ext", "encoders_ext", "math_ext",
        "network_ext", "optionals",   "string_ext"}) {
    EXPECT_GT(passed[file], 0) << "no case of " << file << " is there";
  }
}

}  // namespace
}  // namespace convoke::conformance
