#include "reconcilers/dispatch/job_carrier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/dispatch/dispatch_metrics.h"
#include "tests/unit/reconcilers/testbed.h"

namespace convoke::dispatch {
namespace {

using namespace std::chrono_literals;
using convoke::testing::metadata;
using convoke::testing::Testbed;
using convoke::testing::World;
using DeliveryKind = Delivery::Kind;
using ::testing::HasSubstr;

class JobCarrierTest : public ::testing::Test {
 protected:
  JobCarrierTest() {
    world.server.register_type(kPod, {});
    world.server.set_garbage_collection(false);  // the Task itself is not there
    agent.meta.name = "builder";
    agent.spec.dispatch.mode = api::DispatchMode::Job;
    agent.spec.dispatch.job = {R"({"spec": {"containers": [{"name": "main"}]}})", ""};
    task.meta.namespace_ = "default";
    task.meta.name = "build";
    task.meta.uid = "0123";
    task.status.assignment.id = "0123-1-abcd";
    task.status.dispatch = carrier.announce(task, agent);
  }

  Delivery send() { return carrier.send(task, agent, 1min, cancel); }
  Delivery ask() { return carrier.ask(task, agent, 1min, cancel); }
  bool is_there() const { return world.server.object(kJob, key).has_value(); }
  // Somebody else's, under the name that the Task's would have.
  void put_foreign_job() {
    world.server.put(kJob, {{"metadata", metadata(key.name)}, {"spec", Json::object()}});
  }

  const kube::ObjectKey key{"default", "build-0123-1-abcd"};
  World world;
  Testbed bed{world};
  runtime::Store<Job> jobs;
  DispatchMetrics metrics{bed.registry};
  JobCarrier carrier{bed.client, jobs, world.clock, metrics};
  api::Task task;
  api::Agent agent;
  kube::HttpCancel cancel;
};

TEST_F(JobCarrierTest, AJobThatIsAskedForTwiceIsMadeOnce) {
  EXPECT_EQ(send().kind, DeliveryKind::Accepted);
  EXPECT_EQ(send().kind, DeliveryKind::Accepted);
  EXPECT_EQ(world.server.objects(kJob).size(), 1U);
}

TEST_F(JobCarrierTest, AJobOfThatNameThatIsNotTheTasksIsNeitherUsedNorDeleted) {
  put_foreign_job();
  const Delivery delivery = send();
  EXPECT_EQ(delivery.kind, DeliveryKind::Final);
  EXPECT_EQ(delivery.outcome.error_code, "JobNotAccepted");
  EXPECT_THAT(delivery.outcome.error_message, HasSubstr("is not the Task's"));
  EXPECT_TRUE(carrier.stop(task, agent, cancel));
  EXPECT_TRUE(is_there());
}

TEST_F(JobCarrierTest, AJobThatWasReplacedByAnotherCountsAsDeleted) {
  EXPECT_EQ(send().kind, DeliveryKind::Accepted);
  world.server.remove(kJob, key);
  put_foreign_job();
  EXPECT_EQ(ask().outcome.error_code, "JobDeleted");
  EXPECT_TRUE(carrier.stop(task, agent, cancel));
  EXPECT_TRUE(is_there());
}

TEST_F(JobCarrierTest, WhatIsStoppedIsDeleted) {
  EXPECT_EQ(send().kind, DeliveryKind::Accepted);
  EXPECT_EQ(ask().kind, DeliveryKind::Running);
  EXPECT_TRUE(carrier.stop(task, agent, cancel));
  EXPECT_FALSE(is_there());
  EXPECT_TRUE(carrier.stop(task, agent, cancel)) << "there is nothing left to stop";
}

TEST_F(JobCarrierTest, WithoutAnAnswerItIsNotDoneAndNothingIsDecided) {
  EXPECT_EQ(send().kind, DeliveryKind::Accepted);
  world.server.partition(convoke::testing::kOperator, true);
  EXPECT_EQ(ask().kind, DeliveryKind::TryAgain);
  EXPECT_FALSE(carrier.stop(task, agent, cancel));
}

TEST_F(JobCarrierTest, ATemplateThatMakesNoJobEndsTheAttempt) {
  agent.spec.dispatch.job.container = "another";
  const Delivery delivery = send();
  EXPECT_EQ(delivery.kind, DeliveryKind::Final);
  EXPECT_EQ(delivery.outcome.error_code, "JobNotAccepted");
  EXPECT_FALSE(delivery.outcome.error_retryable);
}

}  // namespace
}  // namespace convoke::dispatch
