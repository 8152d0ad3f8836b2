#include "reconcilers/workflow/run_child.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/reconcilers/workflow/specs.h"

namespace convoke::workflow {
namespace {

api::WorkflowRun make_run(const std::string& name = "run") {
  api::WorkflowRun run;
  run.meta.name = name;
  run.meta.uid = "uid";
  return run;
}

const std::vector<ChildKey> kKeys = {
    {0}, {0, 3}, {0, -1, 2}, {0, -1, 0, 1}, {0, -1, 0, 0, true}, {0, 3, 0, 2, true}, {1}, {1, 1}};

TEST(RunChild, NamesSayWhatItIs) {
  const auto run = make_run();
  EXPECT_EQ(first_name(run, "build", {0}), "run-build");
  EXPECT_EQ(first_name(run, "build", {0, 3, 0, 2, true}), "run-build-3-undo-r2");
  EXPECT_EQ(first_name(run, "poll", {0, -1, 4}), "run-poll-4");
}

TEST(RunChild, NamesAreNamesAndSecondNamesNeverMeet) {
  for (const auto& run : {make_run(), make_run(std::string(200, 'r'))}) {
    std::set<std::string> seen;
    for (const auto& key : kKeys) {
      const std::string step = key.step == 0 ? "build" : "build-3";
      for (const auto& name : {first_name(run, step, key), second_name(run, step, key)}) {
        EXPECT_LE(name.size(), 63u);
        EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), std::string::npos) << name;
      }
      EXPECT_TRUE(seen.insert(second_name(run, step, key)).second) << second_name(run, step, key);
    }
  }
}

TEST(RunChild, IsKnownByItsLabelsAndItsName) {
  const auto run = make_run();
  const auto definition = *specs::check(specs::spec({specs::step("build"), specs::step("build-3")}));
  for (const auto& key : kKeys) {
    const auto& step = definition->step(key.step).name;
    for (const auto& name : {first_name(run, step, key), second_name(run, step, key)}) {
      kube::ObjectMeta meta;
      meta.name = name;
      meta.labels = key_labels(step, key);
      EXPECT_EQ(key_of(run, *definition, meta), key) << name;
      meta.name = "other";
      EXPECT_EQ(key_of(run, *definition, meta), std::nullopt);
    }
  }
}

TEST(RunChild, WithNonsenseInItsLabelsIsUnknown) {
  const auto run = make_run();
  const auto definition = *specs::check(specs::spec({specs::step("build")}));
  for (const auto* nonsense : {"x", "-1", "1x", "99999999999", " 1", "1.5"}) {
    kube::ObjectMeta meta;
    meta.name = "run-build-1";
    meta.labels = key_labels("build", {0, 1});
    meta.labels[api::label::kItem] = nonsense;
    EXPECT_EQ(key_of(run, *definition, meta), std::nullopt) << nonsense;
  }
}

}  // namespace
}  // namespace convoke::workflow
