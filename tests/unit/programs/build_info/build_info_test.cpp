#include "programs/build_info/build_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::programs {
namespace {

using ::testing::ContainsRegex;
using ::testing::StartsWith;

TEST(BuildInfo, TheFirstLineIsTheProgramAndItsVersion) {
  EXPECT_THAT(version_text("some-program"), StartsWith("some-program " + build_info().version + "\n"));
}

TEST(BuildInfo, SaysWhatItWasBuiltFromAndWith) {
  const auto text = version_text("some-program");
  EXPECT_THAT(text, ContainsRegex("\ncommit:    ([0-9a-f]{40}(-modified)?|unknown)\n"));
  EXPECT_THAT(text, ContainsRegex("\nbuilt:     ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z|unknown)\n"));
  EXPECT_THAT(text, ContainsRegex("\ncompiler:  (clang|g)\\+\\+ [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(BuildInfo, EveryLibraryHasAVersion) {
  EXPECT_GE(build_info().libraries.size(), 9U);
  for (const auto& [name, version] : build_info().libraries) {
    EXPECT_THAT(version, ::testing::MatchesRegex("[0-9]+\\.[0-9.]+")) << name;
  }
}

TEST(BuildInfo, IsAMetric) {
  prometheus::Registry registry;
  register_build_info(registry);
  const auto families = registry.Collect();
  ASSERT_EQ(families.size(), 1U);
  EXPECT_EQ(families[0].name, "convoke_build_info");
  const auto& metric = families[0].metric.at(0);
  EXPECT_EQ(metric.gauge.value, 1);
  EXPECT_THAT(metric.label, ::testing::Contains(::testing::Field(&prometheus::ClientMetric::Label::value,
                                                                 build_info().commit)));
}

}  // namespace
}  // namespace convoke::programs
