#include "reconcilers/workflow/history.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/time_format.h"

namespace convoke::workflow {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::shared_ptr<api::WorkflowRun> run(const std::string& name, api::RunPhase phase,
                                      const std::string& completed) {
  auto result = std::make_shared<api::WorkflowRun>();
  result->meta.name = name;
  result->status.phase = phase;
  result->status.completed_at = completed;
  return result;
}

std::shared_ptr<api::ControllerRevision> revision(const std::string& name, std::int64_t number) {
  auto result = std::make_shared<api::ControllerRevision>();
  result->meta.name = name;
  result->revision = number;
  return result;
}

template <class List>
std::vector<std::string> names(const List& list) {
  std::vector<std::string> result;
  for (const auto& item : list) {
    result.push_back(item->meta.name);
  }
  return result;
}

TEST(History, NeverDeletesWhatSomethingElseWouldMakeAgain) {
  auto flux = run("flux", api::RunPhase::Succeeded, "1");
  flux->meta.labels["kustomize.toolkit.fluxcd.io/name"] = "apps";
  auto argo = run("argo", api::RunPhase::Succeeded, "1");
  argo->meta.annotations["argocd.argoproj.io/tracking-id"] = "x";
  auto helm = run("helm", api::RunPhase::Succeeded, "1");
  helm->meta.annotations["meta.helm.sh/release-name"] = "x";
  auto leaving = run("leaving", api::RunPhase::Succeeded, "1");
  leaving->meta.deletion_timestamp = "2026-01-01T00:00:00Z";
  EXPECT_THAT(runs_to_delete({0, 0}, {flux, argo, helm, leaving, run("live", api::RunPhase::Running, "")}),
              IsEmpty());
}

TEST(History, CountsSuccessesApartFromTheRest) {
  const Runs runs = {run("s3", api::RunPhase::Succeeded, "3"), run("s1", api::RunPhase::Succeeded, "1"),
                     run("s2", api::RunPhase::Succeeded, "2"), run("f1", api::RunPhase::Failed, "1"),
                     run("c2", api::RunPhase::Cancelled, "2"), run("f3", api::RunPhase::Failed, "3")};
  EXPECT_THAT(names(runs_to_delete({1, 2}, runs)), ElementsAre("s1", "s2", "f1"));
  EXPECT_THAT(runs_to_delete({3, 3}, runs), IsEmpty());
  EXPECT_EQ(runs_to_delete({0, 0}, runs).size(), 6u);
}

TEST(History, ARunWithoutAWorkflowHasItsTime) {
  const auto now = *parse_time("2026-01-02T00:00:00Z");
  auto own = run("own", api::RunPhase::Succeeded, "2026-01-01T00:00:01Z");
  EXPECT_EQ(until_removal(*own, now), Duration(1s));
  own->status.phase = api::RunPhase::Compensated;
  EXPECT_EQ(until_removal(*own, now), Duration(6 * 24h + 1s));
  own->meta.labels["kustomize.toolkit.fluxcd.io/name"] = "apps";
  EXPECT_EQ(until_removal(*own, now), std::nullopt);
  own->spec.ttl_after_finished = 1h;
  EXPECT_EQ(until_removal(*own, now), Duration(1s - 23h));
}

TEST(History, OthersGoWithWhatTheyBelongTo) {
  const auto now = *parse_time("2027-01-01T00:00:00Z");
  auto of_workflow = run("of-workflow", api::RunPhase::Succeeded, "2026-01-01T00:00:00Z");
  of_workflow->spec.workflow_name = "flow";
  EXPECT_EQ(until_removal(*of_workflow, now), std::nullopt);
  auto step = run("step", api::RunPhase::Succeeded, "2026-01-01T00:00:00Z");
  step->meta.owner_references.push_back({"convoke.dev/v1alpha1", "WorkflowRun", "above", "uid", true, false});
  EXPECT_EQ(until_removal(*step, now), std::nullopt);
}

TEST(History, KeepsRevisionsThatAreNeeded) {
  Revisions revisions;
  for (int i = 1; i <= 14; ++i) {
    revisions.push_back(revision("r" + std::to_string(i), i));
  }
  auto live = run("live", api::RunPhase::Running, "");
  live->status.revision = "r1";
  auto pinned = run("pinned", api::RunPhase::Pending, "");
  pinned->spec.revision = "r2";
  auto done = run("done", api::RunPhase::Succeeded, "1");
  done->status.revision = "r3";
  EXPECT_THAT(names(revisions_to_delete("r14", revisions, {live, pinned, done})), ElementsAre("r3"));
  auto failed = run("failed", api::RunPhase::Failed, "1");
  failed->status.revision = "r3";
  EXPECT_THAT(names(revisions_to_delete("r14", revisions, {live, pinned, failed})), ElementsAre());
  EXPECT_THAT(names(revisions_to_delete("r4", revisions, {})), ElementsAre("r1", "r2", "r3"));
}

}  // namespace
}  // namespace convoke::workflow
