#include "reconcilers/dispatch/dispatch_reconciler.h"

#include <deque>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/dispatch/dispatch.h"
#include "reconcilers/dispatch/secret_reader.h"
#include "tests/unit/reconcilers/testbed.h"

namespace convoke::dispatch {
namespace {

using namespace std::chrono_literals;
using api::kAgent;
using api::kTask;
using convoke::testing::metadata;
using convoke::testing::Testbed;
using convoke::testing::World;
using fakes::Fault;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A service that answers from a script, and hangs where the script says so.
class FakeService final : public kube::HttpClient {
 public:
  explicit FakeService(Clock& clock) : clock_(clock), changed_(clock.make_condition()) {}

  void answer(int status, const std::string& body = {}, std::map<std::string, std::string> headers = {}) {
    const MutexLock lock(mutex_);
    answers_.push_back(kube::HttpResponse{status, std::move(headers), body});
    changed_->notify_all();
  }
  void fail(Error error) {
    const MutexLock lock(mutex_);
    answers_.push_back(std::move(error));
  }

  Result<kube::HttpResponse> send(const kube::HttpTarget&, const kube::HttpRequest& request,
                                  kube::HttpCancel& cancel) override {
    const MutexLock lock(mutex_);
    requests_.push_back(request.method + " " + request.path);
    keys_.push_back(request.headers.at("Idempotency-Key"));
    if (request.method == "DELETE") return kube::HttpResponse{204};
    cancel.on_cancel([this] { changed_->notify_all(); });
    const MonotonicTime deadline = clock_.monotonic_now() + request.deadline;
    while (answers_.empty() && !cancel.cancelled() && changed_->wait_until(mutex_, deadline)) {
    }
    cancel.on_cancel({});
    if (cancel.cancelled()) return {ErrorCode::Cancelled, "cancelled"};
    if (answers_.empty()) return {ErrorCode::Timeout, "no answer"};
    auto answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }

  std::vector<std::string> requests() const {
    const MutexLock lock(mutex_);
    return requests_;
  }
  std::set<std::string> keys() const {
    const MutexLock lock(mutex_);
    return {keys_.begin(), keys_.end()};
  }

 private:
  Clock& clock_;
  mutable Mutex mutex_;
  std::unique_ptr<Condition> changed_;
  std::deque<Result<kube::HttpResponse>> answers_ GUARDED_BY(mutex_);
  std::vector<std::string> requests_ GUARDED_BY(mutex_);
  std::vector<std::string> keys_ GUARDED_BY(mutex_);
};

class NoListener final : public AgentListener {
 public:
  void agent_alive(const kube::ObjectKey&) override {}
  void agent_in_trouble(const kube::ObjectKey&, const std::string&, const std::string&) override {}
};

struct DispatchOperator : Testbed {
  DispatchOperator(World& the_world, FakeService& service)
      : Testbed(the_world),
        dispatch({client, caches, world.clock, *random, registry, listener, &service, false, 8}, Logger()) {
    add_controller("dispatch", dispatch.tasks(), 8);
    dispatch.tasks().watch(controller->queue());
    add_reflector(kAgent, caches.agents);
    add_reflector(kTask, caches.tasks);
    sync();
    controller->start();
    world.clock.settle();
  }
  ~DispatchOperator() {
    dispatch.stop(true);
    stop();
  }

  NoListener listener;
  Dispatch dispatch;
};

class DispatchReconcilerTest : public ::testing::Test {
 protected:
  DispatchReconcilerTest() {
    world.server.put(
        kAgent, {{"metadata", metadata("a")},
                 {"spec",
                  {{"dispatch",
                    {{"mode", "HTTP"}, {"http", {{"url", "http://svc/tasks"}, {"pollInterval", "5s"}}}}}}}});
  }
  void assign(const std::string& name, Json spec = Json::object()) {
    spec["type"] = "x";
    world.server.put(kTask, {{"metadata", metadata(name)},
                             {"spec", spec},
                             {"status",
                              {{"phase", "Assigned"},
                               {"agentName", "a"},
                               {"assignedAt", "2026-01-01T00:00:00Z"},
                               {"assignment", {{"id", name + "-1"}}}}}});
  }
  void end(const std::string& name, const std::string& outcome) {
    world.server.edit(kTask, {"default", name}, [&](Json& task) {
      task["status"]["phase"] = "Cancelled";
      task["status"]["attempts"] = {{{"attempt", 1}, {"assignmentID", name + "-1"}, {"outcome", outcome}}};
    });
  }
  Json status(const std::string& name) const {
    return (*world.server.object(kTask, {"default", name}))["status"];
  }
  Json report(const std::string& name) const { return status(name).value("report", Json::object()); }

  World world;
  FakeService service{world.clock};
};

TEST_F(DispatchReconcilerTest, TheAnswerBecomesTheReport) {
  DispatchOperator op(world, service);
  service.answer(200, R"({"outputs": {"a": 1}})");
  assign("t");
  world.clock.settle();
  EXPECT_EQ(report("t")["state"], "Succeeded");
  EXPECT_EQ(report("t")["outputs"]["a"], 1);
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks"));
  EXPECT_THAT(service.keys(), ElementsAre("t-1"));
  EXPECT_THAT(op.metrics(), HasSubstr("convoke_dispatch_requests_total{mode=\"HTTP\",result=\"2xx\"} 1"));
}

TEST_F(DispatchReconcilerTest, ItIsWrittenBeforeItIsSent) {
  DispatchOperator op(world, service);
  assign("t");
  world.clock.settle();
  EXPECT_EQ(report("t")["state"], "Running");
  EXPECT_EQ(status("t")["dispatch"]["assignmentID"], "t-1");
  service.answer(200);
  world.clock.advance(31s);
}

TEST_F(DispatchReconcilerTest, NothingIsSentThatCouldNotBeWrittenFirst) {
  DispatchOperator op(world, service);
  world.server.fail_next({.method = "PATCH"}, Fault::drop_answer());
  world.server.fail_next({.method = "PATCH"}, Fault::conflict());
  service.answer(200);
  assign("t", {{"delivery", "AtMostOnce"}});
  world.clock.advance(1min);
  EXPECT_EQ(report("t")["state"], "Succeeded");
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks"));
}

TEST_F(DispatchReconcilerTest, PassingFailuresAreTriedAgainUnderTheSameKey) {
  DispatchOperator op(world, service);
  service.answer(503);
  service.fail({ErrorCode::Unavailable, "connection refused", kube::kNotConnected});
  service.answer(429, "", {{"retry-after", "100"}});
  service.answer(200);
  assign("t");
  world.clock.advance(1min);
  EXPECT_EQ(service.requests().size(), 3U);
  EXPECT_THAT(report("t").value("message", ""), HasSubstr("429"));
  world.clock.advance(100s);
  EXPECT_EQ(report("t")["state"], "Succeeded");
  EXPECT_EQ(service.keys().size(), 1U);
}

TEST_F(DispatchReconcilerTest, AtMostOnceIsNotSentAgainUnlessItNeverLeft) {
  DispatchOperator op(world, service);
  service.fail({ErrorCode::Unavailable, "connection refused", kube::kNotConnected});
  service.fail({ErrorCode::Unavailable, "the connection broke"});
  assign("t", {{"delivery", "AtMostOnce"}});
  world.clock.advance(1min);
  EXPECT_EQ(service.requests().size(), 2U);
  EXPECT_EQ(report("t")["state"], "Failed");
  EXPECT_EQ(report("t")["error"]["code"], "OutcomeUnknown");
  EXPECT_EQ(report("t")["error"]["retryable"], false);
}

TEST_F(DispatchReconcilerTest, AfterACrashAtLeastOnceIsSentAgainAndAtMostOnceIsNot) {
  {
    DispatchOperator op(world, service);
    assign("again");
    assign("once", {{"delivery", "AtMostOnce"}});
    world.clock.settle();
    EXPECT_EQ(service.requests().size(), 2U);
  }
  service.answer(200);
  DispatchOperator next(world, service);
  world.clock.settle();
  EXPECT_EQ(service.requests().size(), 3U);
  EXPECT_EQ(report("again")["state"], "Succeeded");
  EXPECT_EQ(report("once")["error"]["code"], "OutcomeUnknown");
}

TEST_F(DispatchReconcilerTest, AcceptedWorkIsPolledAlsoByTheNextOperator) {
  {
    DispatchOperator op(world, service);
    service.answer(202, "", {{"location", "/s/1"}});
    assign("t", {{"delivery", "AtMostOnce"}});
    world.clock.settle();
    EXPECT_EQ(status("t")["dispatch"]["location"], "http://svc:80/s/1");
    service.answer(200, R"({"state": "Running", "progress": 40})");
    world.clock.advance(6s);
    EXPECT_EQ(report("t")["progress"], 40);
  }
  service.answer(200, R"({"state": "Succeeded"})");
  DispatchOperator next(world, service);
  world.clock.advance(6s);
  EXPECT_EQ(report("t")["state"], "Succeeded");
}

TEST_F(DispatchReconcilerTest, AResultIsNotLostWhenTheApiIsAway) {
  DispatchOperator op(world, service);
  assign("t", {{"delivery", "AtMostOnce"}});
  world.clock.settle();
  world.server.partition(convoke::testing::kOperator, true);
  service.answer(200, R"({"outputs": {"kept": true}})");
  world.clock.advance(20s);
  world.server.partition(convoke::testing::kOperator, false);
  world.clock.advance(2min);
  EXPECT_EQ(report("t")["state"], "Succeeded");
  EXPECT_EQ(report("t")["outputs"]["kept"], true);
  EXPECT_EQ(service.requests().size(), 1U);
}

TEST_F(DispatchReconcilerTest, AcceptedWorkIsNotSentAgainWhenThatCouldNotBeWritten) {
  for (const Fault& fault : {Fault::drop_request(), Fault::drop_answer(), Fault::conflict()}) {
    FakeService calm(world.clock);
    DispatchOperator op(world, calm);
    assign("t", {{"delivery", "AtMostOnce"}});
    world.clock.settle();
    world.server.fail_next({.method = "PATCH"}, fault);
    calm.answer(202, "", {{"location", "/s/1"}});
    world.clock.advance(4s);
    EXPECT_EQ(status("t")["dispatch"]["location"], "http://svc:80/s/1");
    EXPECT_THAT(calm.requests(), ElementsAre("POST /tasks"));
    calm.answer(200, R"({"state": "Succeeded"})");
    world.clock.advance(10s);
    EXPECT_EQ(report("t")["state"], "Succeeded");
    world.server.remove(kTask, {"default", "t"});
    world.clock.settle();
  }
}

TEST_F(DispatchReconcilerTest, ACancelledTaskEndsItsRequestAndIsDeletedAtTheService) {
  DispatchOperator op(world, service);
  assign("t");
  world.clock.settle();
  end("t", "Cancelled");
  world.clock.settle();
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks", "DELETE /tasks/t-1"));
  EXPECT_FALSE(status("t").contains("dispatch"));
}

TEST_F(DispatchReconcilerTest, ADeletedTaskIsDeletedAtTheService) {
  DispatchOperator op(world, service);
  assign("t");
  world.clock.settle();
  world.server.remove(kTask, {"default", "t"});
  world.clock.settle();
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks", "DELETE /tasks/t-1"));
}

TEST_F(DispatchReconcilerTest, AnAgentThatHangsHasAQuarterOfTheWorkersAtMost) {
  DispatchOperator op(world, service);
  for (const char* name : {"t1", "t2", "t3", "t4"}) assign(name);
  world.clock.settle();
  EXPECT_EQ(service.requests().size(), 2U);  // of 8 workers
  for (int i = 0; i < 4; ++i) service.answer(200);
  world.clock.advance(2min);
  for (const char* name : {"t1", "t2", "t3", "t4"}) EXPECT_EQ(report(name)["state"], "Succeeded") << name;
}

TEST_F(DispatchReconcilerTest, ARedirectIsNotFollowedAndEndsTheAttempt) {
  DispatchOperator op(world, service);
  service.answer(307, "", {{"location", "http://169.254.169.254/latest"}});
  assign("t");
  world.clock.advance(1min);
  EXPECT_EQ(report("t")["error"]["code"], "HTTP307");
  EXPECT_EQ(report("t")["error"]["retryable"], false);
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks"));
}

TEST_F(DispatchReconcilerTest, WhatOnlyTheApiServerCanRefuseEndsTheAttempt) {
  fakes::TypeOptions refusing;
  refusing.review = [](const fakes::WriteReview& write) -> Status {
    if (!write.after.contains("/status/report/outputs"_json_pointer)) return {};
    return {ErrorCode::Invalid, "status.report.outputs: whatever it is"};
  };
  world.server.register_type(kTask, refusing);
  DispatchOperator op(world, service);
  service.answer(200, R"({"outputs": {"a": 1}})");
  assign("t");
  world.clock.advance(1min);
  EXPECT_EQ(report("t")["state"], "Failed");
  EXPECT_EQ(report("t")["error"]["code"], "InvalidAnswer");
}

TEST_F(DispatchReconcilerTest, ASecretWithoutItsKeyIsWaitedFor) {
  world.server.register_type(kSecret, {.has_status = false});
  const auto put_secret = [this](const Json& data) {
    Json meta = metadata("token");
    meta["annotations"] = {{kOriginAnnotation, "http://svc"}};
    world.server.put(kSecret, {{"metadata", meta}, {"data", data}});
  };
  world.server.edit(kAgent, {"default", "a"}, [](Json& agent) {
    agent["spec"]["dispatch"]["http"]["tokenSecret"] = {{"name", "token"}, {"key", "value"}};
  });
  DispatchOperator op(world, service);
  service.answer(200);
  assign("t", {{"delivery", "AtMostOnce"}});
  world.clock.advance(10s);
  EXPECT_THAT(report("t")["message"], HasSubstr("there is no Secret token"));
  put_secret({{"other", "eA=="}});
  world.clock.advance(40s);
  EXPECT_THAT(report("t")["message"], HasSubstr("has no key value"));
  put_secret({{"value", "not base64!"}});
  world.clock.advance(40s);
  EXPECT_THAT(service.requests(), IsEmpty()) << "nothing is sent without the token";
  put_secret({{"value", "eA=="}});
  world.clock.advance(80s);
  EXPECT_EQ(report("t")["state"], "Succeeded");
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks"));
}

TEST_F(DispatchReconcilerTest, AForeignLocationIsNeverAsked) {
  DispatchOperator op(world, service);
  service.answer(202, "", {{"location", "http://169.254.169.254/latest"}});
  assign("t");
  world.clock.advance(1min);
  EXPECT_EQ(report("t")["error"]["code"], "InvalidLocation");
  EXPECT_THAT(service.requests(), ElementsAre("POST /tasks", "DELETE /tasks/t-1"));
}

}  // namespace
}  // namespace convoke::dispatch
