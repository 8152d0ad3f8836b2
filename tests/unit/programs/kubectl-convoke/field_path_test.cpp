#include "programs/kubectl-convoke/field_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::plugin {
namespace {

using ::testing::ElementsAre;

const Json kObject = Json::parse(R"({"metadata": {"labels": {"x.y/z": 1}},
    "spec": {"steps": [{"name": "a"}, {"name": "b", "task": {"type": "x"}}, {"name": "c"}, {"name": "c"}, {}]}})");

TEST(FieldPath, FieldsOfTheOperatorBecomePointers) {
  EXPECT_EQ(pointer_of(kObject, "spec.steps[b].task.type"), "/spec/steps/1/task/type");
  EXPECT_EQ(pointer_of(kObject, "spec.steps[0].name"), "/spec/steps/0/name");
  EXPECT_EQ(pointer_of(kObject, "spec.steps[b].retry.limit"), "/spec/steps/1");
  EXPECT_EQ(pointer_of(kObject, "spec.steps[99999999999999999999]"), "/spec/steps");
  EXPECT_EQ(pointer_of(kObject, "nonsense"), "");
}

TEST(FieldPath, ANameThatSeveralHaveMeansEach) {
  EXPECT_THAT(pointers_of(kObject, "spec.steps[c].name"),
              ElementsAre("/spec/steps/2/name", "/spec/steps/3/name"));
}

TEST(FieldPath, PointersBecomeFieldsWithNamesWhereTheyTellItemsApart) {
  EXPECT_EQ(field_of(kObject, "/spec/steps/1/task"), "spec.steps[b].task");
  EXPECT_EQ(field_of(kObject, "/spec/steps/3/name"), "spec.steps[3].name");
  EXPECT_EQ(field_of(kObject, "/spec/steps/4"), "spec.steps[4]");
  EXPECT_EQ(field_of(kObject, "/spec/steps/7/x"), "spec.steps[7].x");
  EXPECT_EQ(field_of(kObject, "/metadata/labels/x.y~1z"), "metadata.labels.x.y/z");
  EXPECT_EQ(field_of(kObject, ""), "");
}

}  // namespace
}  // namespace convoke::plugin
