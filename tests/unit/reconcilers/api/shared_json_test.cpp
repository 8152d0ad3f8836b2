#include "reconcilers/api/shared_json.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "reconcilers/api/agent.h"
#include "reconcilers/api/workflow_run.h"

namespace convoke::api {
namespace {

struct Seen {
  bool present;
  std::int64_t generation;
  bool operator==(const Seen&) const = default;
};

template <class Kind>
Seen seen_in(const Json& status) {
  const Kind object = Kind::from_json({{"status", status}});
  EXPECT_EQ(object.malformed, std::vector<std::string>{});
  return {object.status.present, object.status.observed_generation};
}

template <class Kind>
void check_kind(const Json& phase) {
  EXPECT_EQ(seen_in<Kind>(Json::object()), (Seen{false, 0}));
  EXPECT_EQ(seen_in<Kind>({{"observedGeneration", -1}, {"phase", "Pending"}}), (Seen{false, 0}))
      << "the default";
  EXPECT_EQ(seen_in<Kind>({{"observedGeneration", 2}, {"phase", phase}}), (Seen{true, 2}));
  EXPECT_EQ(seen_in<Kind>({{"phase", phase}}), (Seen{true, 0})) << "without the default";
}

TEST(ObservedGeneration, TheDefaultOfTheCrdsCountsAsNoStatusAtAll) {
  check_kind<Agent>("Ready");
  check_kind<Task>("Running");
  check_kind<Workflow>("Ready");
  check_kind<WorkflowRun>("Running");
}

TEST(ObservedGeneration, TheDefaultIsNeverWrittenBack) {
  const Task task = Task::from_json({{"status", {{"observedGeneration", -1}, {"phase", "Pending"}}}});
  EXPECT_FALSE(status_update(task, task.status)["status"].contains("observedGeneration"));
}

}  // namespace
}  // namespace convoke::api
