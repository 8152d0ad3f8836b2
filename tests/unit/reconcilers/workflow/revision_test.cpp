#include "reconcilers/workflow/revision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/reconcilers/workflow/specs.h"

namespace convoke::workflow {
namespace {

api::RawJson content_of(const std::string& spec) {
  return revision_content(spec).value_or("");
}

TEST(Revision, NeedsAnObject) {
  EXPECT_FALSE(revision_content("[]"));
  EXPECT_FALSE(revision_content(""));
}

TEST(Revision, ContentDoesNotDependOnTheOrderOfFields) {
  EXPECT_EQ(content_of(R"({"mode": "Graph", "steps": [{"name": "a", "task": {"type": "x"}}]})"),
            content_of(R"({ "steps":[{"task":{"type":"x"},"name":"a"}],"mode":"Graph"})"));
}

TEST(Revision, KeepsOnlyWhatARunExecutes) {
  const auto plain = content_of(R"({"steps": [{"name": "a"}]})");
  EXPECT_EQ(plain,
            content_of(R"({"steps": [{"name": "a"}], "suspend": true, "description": "x", "triggers": [],
                                  "historyLimits": {"succeeded": 1}, "timeout": null})"));
  for (const char* change :
       {R"({"steps": [{"name": "a"}], "timeout": "5m"})", R"({"steps": [{"name": "b"}]})",
        R"({"steps": [{"name": "a"}], "onFailure": "Continue"})",
        R"({"steps": [{"name": "a"}], "parallelism": 1})", R"({"steps": [{"name": "a"}], "outputs": []})",
        R"({"steps": [{"name": "a"}], "finally": [{"name": "b"}]})",
        R"({"steps": [{"name": "a"}], "maxTransitions": 5})"}) {
    EXPECT_NE(plain, content_of(change)) << change;
  }
}

TEST(Revision, IsNamedByItsContent) {
  EXPECT_EQ(revision_name("release", "{}"), "release-44136fa355");
  EXPECT_NE(revision_name("release", "{}"), revision_name("release", "{ }"));
  EXPECT_NE(alternative_revision_name("release", "uid", "{}"), revision_name("release", "{}"));
  EXPECT_LE(revision_name(std::string(253, 'w'), "{}").size(), 63u);
}

TEST(Revision, BelongsToItsWorkflow) {
  api::Workflow workflow;
  workflow.meta.namespace_ = "ns";
  workflow.meta.name = "release";
  workflow.meta.uid = "uid-1";
  const auto revision = make_revision(workflow, "release-1", 3, R"({"steps":[]})");
  EXPECT_EQ(revision.meta.label(api::label::kWorkflow), "release");
  ASSERT_NE(revision.meta.controller(), nullptr);
  EXPECT_EQ(revision.meta.controller()->uid, "uid-1");
  EXPECT_FALSE(revision.meta.controller()->block_owner_deletion);
  const auto again = api::ControllerRevision::from_json(revision.to_json());
  EXPECT_EQ(again.data, revision.data);
  EXPECT_EQ(again.revision, 3);
}

}  // namespace
}  // namespace convoke::workflow
