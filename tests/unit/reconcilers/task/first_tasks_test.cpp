#include "reconcilers/task/first_tasks.h"

#include <gtest/gtest.h>

#include "tests/unit/reconcilers/task/builders.h"

namespace convoke::task {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using api::TaskPhase;

class FirstTasksTest : public ::testing::Test {
 protected:
  api::Task keyed(const std::string& name, Duration created = -60s) {
    api::Task task = make_task(name);
    task.spec.idempotency_key = "k";
    task.meta.creation_timestamp = at(created);
    return task;
  }
  void put(api::Task task) {
    task.meta.resource_version = std::to_string(++version);
    caches.tasks.apply(std::make_shared<const api::Task>(std::move(task)));
  }
  // The name of the one that `name` waits for; empty if it is run itself.
  std::string before(const std::string& name) {
    const TaskPtr first = firsts.first_before(*caches.tasks.get({"default", name}));
    return first == nullptr ? "" : first->meta.name;
  }

  int version = 10;
  api::Caches caches;
  FirstTasks firsts{caches};
};

TEST_F(FirstTasksTest, WithoutAKeyNobodyWaits) {
  put(make_task("a"));
  put(make_task("b"));
  EXPECT_EQ(before("b"), "");
}

TEST_F(FirstTasksTest, TheOldestIsTheFirstAndThenTheLowerUid) {
  put(keyed("c", -50s));
  put(keyed("b", -60s));
  put(keyed("a", -60s));
  EXPECT_EQ(before("a"), "");
  EXPECT_EQ(before("b"), "a");
  EXPECT_EQ(before("c"), "a");
}

TEST_F(FirstTasksTest, OneOfTheSameSecondThatIsSeenLaterDoesNotOvertake) {
  put(keyed("b"));
  EXPECT_EQ(before("b"), "");
  put(keyed("a"));
  EXPECT_EQ(before("a"), "b") << "an assignment of b may be on its way";
}

TEST_F(FirstTasksTest, WhatWasGivenOutComesFirstAfterARestartToo) {
  api::Task running = keyed("b", -10s);
  running.status.phase = TaskPhase::Running;
  put(running);
  put(keyed("a"));
  EXPECT_EQ(before("a"), "b");
  running.status.phase = TaskPhase::Queued;
  running.status.attempt = 1;
  put(running);
  EXPECT_EQ(FirstTasks(caches).first_before(*caches.tasks.get({"default", "a"}))->meta.name, "b");
}

TEST_F(FirstTasksTest, ASuccessServesAllThatComeLater) {
  api::Task done = keyed("z", -10s);
  done.status.phase = TaskPhase::Succeeded;
  put(done);
  put(keyed("a"));
  EXPECT_EQ(before("a"), "z");
}

TEST_F(FirstTasksTest, WhenTheFirstOneFailsIsDeletedOrCannotWorkTheNextTakesItsPlace) {
  put(keyed("a", -60s));
  put(keyed("b", -50s));
  put(keyed("c", -40s));
  ASSERT_EQ(before("c"), "a");
  api::Task failed = keyed("a", -60s);
  failed.status.phase = TaskPhase::Failed;
  put(failed);
  EXPECT_EQ(before("b"), "");
  EXPECT_EQ(before("c"), "b");
  api::Task wrong = keyed("b", -50s);
  wrong.malformed = {"spec.priority: expected an integer, got a string"};
  put(wrong);
  EXPECT_EQ(before("c"), "");
}

TEST_F(FirstTasksTest, WhoTakesThePlaceOfTheFirstIsToldWhoeverAsked) {
  std::vector<std::string> told;
  firsts.set_listener([&](const kube::ObjectKey& key) { told.push_back(key.name); });
  put(keyed("a", -60s));
  put(keyed("b", -50s));
  put(keyed("c", -40s));
  ASSERT_EQ(before("b"), "a");
  EXPECT_TRUE(told.empty());
  api::Task failed = keyed("a", -60s);
  failed.status.phase = TaskPhase::Failed;
  put(failed);
  EXPECT_EQ(before("c"), "b");
  EXPECT_EQ(told, std::vector<std::string>{"b"});
  EXPECT_TRUE(firsts.is_first(*caches.tasks.get({"default", "b"})));
}

TEST_F(FirstTasksTest, KeysOfOtherNamespacesAreOtherKeys) {
  api::Task other = keyed("a", -90s);
  other.meta.namespace_ = "elsewhere";
  put(other);
  put(keyed("b"));
  EXPECT_EQ(before("b"), "");
}

}  // namespace
}  // namespace convoke::task
