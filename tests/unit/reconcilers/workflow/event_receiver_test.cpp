#include "reconcilers/workflow/event_receiver.h"

#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

#include "controller/kube/client_metrics.h"
#include "controller/runtime/reflector.h"
#include "tests/fakes/fake_api_types.h"
#include "tests/unit/reconcilers/workflow/specs.h"
#include "tests/unit/reconcilers/workflow/world.h"

namespace convoke::workflow {
namespace {

using namespace std::chrono_literals;
using fakes::Fault;
using specs::spec;
using specs::step;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Json kPush = {{"specversion", "1.0"},
                    {"id", "1"},
                    {"source", "/repo"},
                    {"type", "push"},
                    {"data", {{"branch", "main"}}}};

Json push_with(const Json& more) {
  Json result = kPush;
  result.update(more);
  return result;
}

// One operator's receiver, with caches of its own.
class Replica {
 public:
  Replica(fakes::FakeClock& clock, fakes::FakeApiServer& server, RecordedEvents& events,
          const std::string& name, serve::BearerTokens* tokens)
      : transport_(server.connect(name)),
        random_(make_seeded_random(1)),
        metrics_(registry_, "fake"),
        client_(*transport_, clock, *random_, metrics_, {"test", 2s, nullptr}),
        receiver_({client_, caches_, events, clock, registry_, tokens, nullptr, [this] { return ready; }},
                  Logger()) {
    receiver_.watch();
    reflect(clock, api::kWorkflow, caches_.workflows);
    reflect(clock, api::kWorkflowRun, caches_.runs);
    reflect(clock, api::kTask, caches_.tasks);
    clock.settle();
  }
  ~Replica() {
    for (const auto& reflector : reflectors_) {
      reflector->stop();
    }
  }

  serve::ServeResponse post(const Json& body, const std::string& path = "/events",
                            const std::string& token = "secret") {
    return receiver_.handle(
        {"POST",
         path,
         "",
         {{"content-type", "application/cloudevents+json"}, {"authorization", "Bearer " + token}},
         body.dump()});
  }
  serve::ServeResponse ask(serve::ServeRequest request) { return receiver_.handle(request); }
  std::string metrics() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

  bool ready = true;

 private:
  template <class T>
  void reflect(fakes::FakeClock& clock, const kube::ResourceType& type, runtime::Store<T>& store) {
    reflectors_.push_back(std::make_unique<runtime::Reflector>(
        client_, clock, *random_, Logger(), runtime::ReflectorSource{type, {}, {}, {}},
        std::make_unique<runtime::StoreSink<T>>(store)));
    reflectors_.back()->start();
  }

  prometheus::Registry registry_;
  std::unique_ptr<kube::Transport> transport_;
  std::unique_ptr<Random> random_;
  kube::ClientMetrics metrics_;
  kube::Client client_;
  api::Caches caches_;
  EventReceiver receiver_;
  std::vector<std::unique_ptr<runtime::Reflector>> reflectors_;
};

class EventReceiverTest : public ::testing::Test {
 protected:
  EventReceiverTest() : server(clock) {
    fakes::register_convoke_types(server);
    std::ofstream(token_file()) << "secret\nold-secret\n";
    start();
  }

  // Each test is a process of its own, and they run side by side.
  static std::string token_file() {
    return ::testing::TempDir() + "convoke-event-tokens-" + std::to_string(::getpid());
  }
  void start() { replica = std::make_unique<Replica>(clock, server, events, "operator", &tokens); }

  void apply(const std::string& name, const Json& trigger, const Json& more = Json::object(),
             const std::string& namespace_ = "default") {
    Json whole = spec({step("a")}, {{"triggers", {{{"type", "Event"}, {"event", trigger}}}},
                                    {"parameters", {{{"name", "branch"}}}}});
    whole.update(more);
    server.put(api::kWorkflow, {{"apiVersion", api::kWorkflow.api_version()},
                                {"kind", api::kWorkflow.kind},
                                {"metadata", {{"namespace", namespace_}, {"name", name}}},
                                {"spec", whole}});
    clock.settle();
  }

  std::vector<Json> runs() const { return server.objects(api::kWorkflowRun); }

  fakes::FakeClock clock;
  fakes::FakeApiServer server;
  RecordedEvents events;
  serve::BearerTokens tokens{clock, token_file()};
  std::unique_ptr<Replica> replica;
};

TEST_F(EventReceiverTest, AnEventThatATriggerWantsBecomesARun) {
  apply("flow", {{"type", "push"}, {"parameters", {{"branch", "$(event.data.branch)"}}}});
  const auto answer = replica->post(kPush);
  EXPECT_EQ(answer.status, 202) << answer.body;
  ASSERT_THAT(runs(), SizeIs(1));
  const Json run = runs()[0];
  EXPECT_THAT(answer.body, HasSubstr(run["metadata"]["name"].get<std::string>()));
  EXPECT_EQ(run["spec"]["workflowName"], "flow");
  EXPECT_EQ(run["spec"]["parameters"], (Json{{"branch", "main"}}));
  EXPECT_EQ(run["spec"]["event"], kPush);
  EXPECT_EQ(run["spec"]["triggeredBy"], "Event");
  EXPECT_FALSE(run["spec"].contains("revision")) << "the current one when it starts";
  EXPECT_EQ(run["metadata"]["ownerReferences"][0]["name"], "flow");
  EXPECT_EQ(events.count("RunCreated"), 1);
}

TEST_F(EventReceiverTest, AnEventThatComesAgainIsTheSameRun) {
  apply("flow", {{"type", "push"}});
  EXPECT_EQ(replica->post(kPush).status, 202);
  const auto again = replica->post(push_with({{"data", {{"other", 1}}}}));
  EXPECT_EQ(again.status, 202);
  EXPECT_EQ(Json::parse(again.body)["runs"][0]["duplicate"], true);
  Replica standby(clock, server, events, "standby", &tokens);
  EXPECT_EQ(standby.post(kPush).status, 202);
  start();
  EXPECT_EQ(replica->post(kPush).status, 202);
  EXPECT_THAT(runs(), SizeIs(1));
  EXPECT_EQ(replica->post(push_with({{"id", "2"}})).status, 202);
  EXPECT_EQ(replica->post(push_with({{"source", "/other"}})).status, 202);
  EXPECT_THAT(runs(), SizeIs(3));
}

TEST_F(EventReceiverTest, AnEventWhoseRunTheHistoryLimitsDeletedIsRemembered) {
  apply("flow", {{"type", "push"}});
  EXPECT_EQ(replica->post(kPush).status, 202);
  const std::string key = runs()[0]["metadata"]["annotations"]["convoke.dev/event-key"];
  server.edit(api::kWorkflow, {"default", "flow"},
              [&](Json& workflow) { workflow["status"]["pastEvents"] = {key}; });
  server.remove(api::kWorkflowRun, {"default", runs()[0]["metadata"]["name"]});
  clock.settle();
  EXPECT_EQ(replica->post(kPush).status, 202);
  EXPECT_THAT(runs(), IsEmpty());
}

TEST_F(EventReceiverTest, OnlyWhatFitsStartsARun) {
  apply("flow", {{"type", "push"}, {"source", "/repo"}, {"filter", "event.data.branch == workflow.name"}});
  EXPECT_EQ(replica->post(kPush).status, 200) << "the filter";
  EXPECT_EQ(replica->post(push_with({{"type", "pull"}})).status, 200);
  EXPECT_EQ(replica->post(push_with({{"source", "/elsewhere"}, {"data", {{"branch", "flow"}}}})).status, 200);
  EXPECT_THAT(runs(), IsEmpty());
  EXPECT_EQ(replica->post(push_with({{"data", {{"branch", "flow"}}}})).status, 202);
  EXPECT_THAT(runs(), SizeIs(1));
}

TEST_F(EventReceiverTest, AnEventThatCannotBeUsedIsSaidToBothSides) {
  apply("flow", {{"type", "push"}, {"parameters", {{"branch", "$(event.data.nothing)"}}}});
  const auto answer = replica->post(kPush);
  EXPECT_EQ(answer.status, 422);
  EXPECT_THAT(answer.body, HasSubstr("nothing"));
  EXPECT_EQ(events.count("EventNotUsable"), 1);
  apply("flow", {{"type", "push"}, {"filter", "event.data.nothing == 1"}});
  EXPECT_EQ(replica->post(kPush).status, 422);
  EXPECT_EQ(events.count("EventNotUsable"), 2);
  apply("other", {{"type", "push"}});
  EXPECT_EQ(replica->post(kPush).status, 202) << "another trigger can use it";
}

TEST_F(EventReceiverTest, SuspendedInvalidAndDeletedWorkflowsWantNothing) {
  apply("suspended", {{"type", "push"}}, {{"suspend", true}});
  apply("invalid", {{"type", "push"}}, {{"steps", {step("a", {"nowhere"})}}});
  apply("gone", {{"type", "push"}});
  server.remove(api::kWorkflow, {"default", "gone"});
  clock.settle();
  EXPECT_EQ(replica->post(kPush).status, 200);
  apply("suspended", {{"type", "push"}});
  EXPECT_EQ(replica->post(kPush).status, 202);
  apply("suspended", {{"type", "other"}});
  EXPECT_EQ(replica->post(push_with({{"id", "2"}})).status, 200);
}

TEST_F(EventReceiverTest, APathMayNameTheNamespace) {
  apply("flow", {{"type", "push"}});
  apply("flow", {{"type", "push"}}, Json::object(), "team-a");
  EXPECT_EQ(replica->post(kPush, "/namespaces/team-a/events").status, 202);
  ASSERT_THAT(runs(), SizeIs(1));
  EXPECT_EQ(runs()[0]["metadata"]["namespace"], "team-a");
  EXPECT_EQ(replica->post(kPush, "/namespaces/none/events").status, 200);
  EXPECT_EQ(replica->post(kPush).status, 202);
  EXPECT_THAT(runs(), SizeIs(2)) << "one event may start several";
  for (const char* path : {"/", "/namespaces//events", "/namespaces/a/b/events", "/eventsx"}) {
    EXPECT_EQ(replica->post(kPush, path).status, 404) << path;
  }
}

TEST_F(EventReceiverTest, OnlyWhoHasATokenMaySend) {
  apply("flow", {{"type", "push"}});
  EXPECT_EQ(replica->post(kPush, "/events", "wrong").status, 401);
  EXPECT_EQ(replica->post(kPush, "/events", "").status, 401);
  EXPECT_EQ(replica->ask({"POST", "/events", "", {{"authorization", "Basic secret"}}, ""}).status, 401);
  EXPECT_EQ(replica->ask({"POST", "/events", "", {}, ""}).status, 401);
  EXPECT_THAT(runs(), IsEmpty());
  EXPECT_EQ(replica->post(kPush, "/events", "old-secret").status, 202);
  std::ofstream(token_file()) << "new-secret\n";
  clock.advance(3s);
  EXPECT_EQ(replica->post(kPush, "/events", "old-secret").status, 401);
  EXPECT_EQ(replica->post(kPush, "/events", "new-secret").status, 202);
  std::ofstream(token_file()) << "\n";
  clock.advance(3s);
  EXPECT_EQ(replica->post(kPush, "/events", "").status, 401) << "no token is no token";
}

TEST_F(EventReceiverTest, OtherMethodsAreNotAllowed) {
  EXPECT_EQ(replica->ask({"GET", "/events", "", {}, ""}).status, 405);
}

TEST_F(EventReceiverTest, WhatIsNotStoredIsNotAccepted) {
  apply("flow", {{"type", "push"}});
  server.partition("operator", true);
  const auto answer = replica->post(kPush);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.headers.count("Retry-After"), 1u);
  server.partition("operator", false);
  EXPECT_THAT(runs(), IsEmpty());
  EXPECT_EQ(replica->post(kPush).status, 202);
}

TEST_F(EventReceiverTest, AnAnswerThatIsLostDoesNotDoubleTheRun) {
  apply("flow", {{"type", "push"}});
  server.fail_next({.method = "POST"}, Fault::drop_answer());
  EXPECT_EQ(replica->post(kPush).status, 503);
  EXPECT_EQ(replica->post(kPush).status, 202);
  EXPECT_THAT(runs(), SizeIs(1));
}

TEST_F(EventReceiverTest, AnswersAreCountedByTheirCodeAndRunsByTheirTrigger) {
  apply("flow", {{"type", "push"}});
  EXPECT_EQ(replica->post(kPush).status, 202);
  EXPECT_EQ(replica->post(kPush).status, 202);
  EXPECT_EQ(replica->post(kPush, "/nowhere").status, 404);
  EXPECT_EQ(replica->post(kPush, "/events", "wrong").status, 401);
  const auto text = replica->metrics();
  EXPECT_THAT(text, HasSubstr("convoke_cloudevent_requests_total{code=\"202\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("convoke_cloudevent_requests_total{code=\"404\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("convoke_cloudevent_requests_total{code=\"401\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("convoke_cloudevent_requests_total{code=\"503\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("convoke_trigger_firings_total{result=\"Started\",type=\"Event\"} 1\n"));
}

TEST_F(EventReceiverTest, BeforeTheCachesAreSyncedNothingIsAccepted) {
  replica->ready = false;
  EXPECT_EQ(replica->post(kPush).status, 503);
}

TEST_F(EventReceiverTest, ABatchIsAcceptedAsAWhole) {
  apply("flow", {{"type", "push"}});
  const Json batch = {kPush, push_with({{"id", "2"}}), push_with({{"id", "3"}, {"type", "other"}})};
  const auto answer = replica->ask(
      {"POST",
       "/events",
       "",
       {{"content-type", "application/cloudevents-batch+json"}, {"authorization", "bearer secret"}},
       batch.dump()});
  EXPECT_EQ(answer.status, 202) << answer.body;
  EXPECT_THAT(runs(), SizeIs(2));
}

// A run whose step waits for a push to the branch that the run is about.
class WaitingRunTest : public EventReceiverTest {
 protected:
  void wait(const std::string& name, const std::string& branch, const std::string& phase = "Running") {
    const Json gate = {
        {"name", "gate"},
        {"wait", {{"event", {{"type", "push"}, {"filter", "event.data.branch == params.branch"}}}}}};
    server.put(api::kWorkflowRun,
               {{"apiVersion", api::kWorkflowRun.api_version()},
                {"kind", api::kWorkflowRun.kind},
                {"metadata", {{"namespace", "default"}, {"name", name}}},
                {"spec", {{"workflowSpec", {{"steps", {gate}}, {"parameters", {{{"name", "branch"}}}}}}}},
                {"status",
                 {{"phase", phase},
                  {"observedGeneration", 1},
                  {"startedAt", "2026-01-01T00:00:00Z"},
                  {"parameters", {{"branch", branch}}},
                  {"steps",
                   {{{"name", "gate"},
                     {"phase", "Running"},
                     {"reason", "WaitingForEvent"},
                     {"startedAt", "2026-01-01T00:00:00Z"}}}}}}});
    clock.settle();
  }

  // What the step was given; null if nothing.
  Json given(const std::string& name) const {
    const Json run = *server.object(api::kWorkflowRun, {"default", name});
    const std::string text =
        run["metadata"].value("annotations", Json::object()).value("event.convoke.dev/gate", "");
    return text.empty() ? Json() : Json::parse(text);
  }
};

TEST_F(WaitingRunTest, AStepThatWaitsForAnEventGetsIt) {
  wait("main-run", "main");
  wait("dev-run", "dev");
  wait("ended", "main", "Succeeded");
  const auto answer = replica->post(kPush);
  EXPECT_EQ(answer.status, 202) << answer.body;
  EXPECT_EQ(given("main-run"), kPush);
  EXPECT_TRUE(given("dev-run").is_null()) << "the filter";
  EXPECT_TRUE(given("ended").is_null());
  clock.settle();
  EXPECT_EQ(Json::parse(replica->post(kPush).body)["runs"][0]["duplicate"], true);
  EXPECT_EQ(replica->post(push_with({{"id", "2"}})).status, 200) << "it has what it waited for";
  EXPECT_EQ(given("main-run"), kPush);
  EXPECT_EQ(replica->post(push_with({{"id", "3"}, {"data", {{"branch", "dev"}}}})).status, 202);
  EXPECT_FALSE(given("dev-run").is_null());
}

TEST_F(WaitingRunTest, AnEventThatCannotBeGivenIsNotAccepted) {
  wait("main-run", "main");
  server.fail_next({.method = "PATCH"}, Fault::drop_request());
  EXPECT_EQ(replica->post(kPush).status, 503);
  EXPECT_EQ(replica->post(kPush).status, 202);
  EXPECT_EQ(given("main-run"), kPush);
}

TEST_F(EventReceiverTest, WhatIsNoCloudEventIsRefused) {
  EXPECT_EQ(replica->post({{"specversion", "0.3"}}).status, 400);
  EXPECT_EQ(replica->ask({"POST", "/events", "", {{"authorization", "Bearer secret"}}, "{}"}).status, 415);
}

}  // namespace
}  // namespace convoke::workflow
