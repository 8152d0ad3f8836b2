#include "reconcilers/task/take_over.h"

#include <gtest/gtest.h>

#include "tests/unit/reconcilers/testbed.h"

namespace convoke::task {
namespace {

using api::kTask;
using convoke::testing::metadata;
using convoke::testing::Testbed;
using convoke::testing::World;
using fakes::Fault;

class TakeOverTest : public ::testing::Test {
 protected:
  void put(const std::string& name, const std::string& phase) {
    world.server.put(kTask, {{"metadata", metadata(name)},
                             {"spec", {{"type", "build"}}},
                             {"status", {{"phase", phase}, {"agentName", "a"}, {"observedGeneration", 1}}}});
  }
  Status refresh() { return refresh_live_tasks(bed.client, bed.caches.tasks, {""}); }

  World world;
  Testbed bed{world};
};

TEST_F(TakeOverTest, EveryLiveTaskIsKnownThoughNoWatchTold) {
  put("given", "Assigned");
  put("begun", "Running");
  put("done", "Succeeded");
  put("waiting", "Queued");
  ASSERT_TRUE(refresh());
  EXPECT_EQ(bed.caches.tasks.count_by_index(api::index::kTasksByAgent, "default/a"), 2U);
  EXPECT_EQ(bed.caches.tasks.size(), 2U);
}

TEST_F(TakeOverTest, AnErrorIsTold) {
  put("given", "Assigned");
  world.server.fail_next({.method = "GET"}, Fault::error(403), 1);
  const Status refreshed = refresh();
  ASSERT_FALSE(refreshed);
  EXPECT_NE(refreshed.error().message.find("listing the Tasks that agents have"), std::string::npos)
      << refreshed.error().message;
}

TEST_F(TakeOverTest, NewerNewsStay) {
  put("given", "Assigned");
  ASSERT_TRUE(refresh());
  put("given2", "Assigned");
  world.server.edit(kTask, {"default", "given"}, [](Json& task) { task["status"]["phase"] = "Succeeded"; });
  auto now = api::Task::from_json(*world.server.object(kTask, {"default", "given"}));
  bed.caches.tasks.overlay(std::make_shared<const api::Task>(std::move(now)));
  ASSERT_TRUE(refresh());
  EXPECT_EQ(bed.caches.tasks.get({"default", "given"})->status.phase, api::TaskPhase::Succeeded);
  EXPECT_EQ(bed.caches.tasks.count_by_index(api::index::kTasksByAgent, "default/a"), 1U);
}

}  // namespace
}  // namespace convoke::task
