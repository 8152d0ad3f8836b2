#include "programs/runner/runner.h"

#include <csignal>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "controller/kube/client_metrics.h"
#include "reconcilers/api/agent.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/fake_api_types.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/programs/runner/runner_fixtures.h"

namespace convoke::runner {
namespace {

using namespace std::chrono_literals;
using fakes::Fault;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// One life of a runner. Destroying it is a kill -9: it reports nothing any more.
class Life {
 public:
  Life(fakes::FakeClock& clock, fakes::FakeApiServer& server, const RunnerConfig& config, std::uint64_t seed)
      : clock_(clock),
        random_(make_seeded_random(seed)),
        transport_(server.connect("runner")),
        client_(*transport_, clock, *random_, metrics_, {"runner", 5s}),
        journal_(*Journal::open(config.journal, config.name, clock, Logger())),
        workshop_{config, launcher, ::testing::TempDir(), {}},
        runner({client_, client_, clock, *random_, log_, *journal_, workshop_}) {
    thread_ = clock.start_thread("runner", [this] {
      result = runner.run();
      ended = true;
    });
  }
  ~Life() {
    transport_->shutdown();
    client_.shutdown();
    runner.request_stop();
    clock_.advance_until([this] { return ended; }, 1h);
    thread_->join();
  }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  std::shared_ptr<FakeRun> run(std::size_t i) const { return launcher.runs.at(i); }

 private:
  fakes::FakeClock& clock_;
  std::unique_ptr<Random> random_;
  prometheus::Registry registry_;
  kube::ClientMetrics metrics_{registry_, "fake"};
  std::unique_ptr<kube::Transport> transport_;
  kube::Client client_;
  std::unique_ptr<Journal> journal_;
  const Logger log_;

 public:
  FakeLauncher launcher;

 private:
  const Workshop workshop_;

 public:
  bool ended = false;
  Status result;
  Runner runner;

 private:
  std::unique_ptr<Thread> thread_;
};

class RunnerTest : public ::testing::Test {
 protected:
  RunnerTest() {
    fakes::register_convoke_types(server);
    config.journal = ::testing::TempDir() + "/runner_test_journal-" + std::to_string(::getpid());
    std::remove(config.journal.c_str());
  }
  ~RunnerTest() override {
    life.reset();
    std::remove(config.journal.c_str());
  }

  void start_runner() {
    life.reset();
    life = std::make_unique<Life>(clock, server, config, ++lives);
    clock.advance(1s);
  }
  // As the operator does it.
  void assign(const std::string& name, const std::string& id, const std::string& type = "build",
              const Json& parameters = Json::object()) {
    server.put(api::kTask, task_json(name, id, type, parameters));
    clock.advance(100ms);
  }
  void edit(const std::string& name, const std::function<void(Json&)>& change) {
    server.edit(api::kTask, {"default", name}, change);
    clock.advance(100ms);
  }
  void end_command(std::size_t i, const CommandEnd& how = {}) {
    life->run(i)->end(how);
    clock.advance(100ms);
  }
  Json report(const std::string& name) const {
    const auto task = server.object(api::kTask, {"default", name});
    return task ? (*task)["status"].value("report", Json::object()) : Json::object();
  }
  std::string state(const std::string& name) const { return report(name).value("state", "(none)"); }
  std::string error_code(const std::string& name) const {
    return report(name).value("error", Json::object()).value("code", "");
  }
  std::size_t commands() const { return life->launcher.runs.size(); }
  // "start a", "end a", ... of all lives.
  std::vector<std::string> journal() const {
    std::vector<std::string> lines;
    std::ifstream in(config.journal);
    for (std::string text; std::getline(in, text);) {
      const auto line = *parse_json(text);
      lines.push_back(line["event"].get<std::string>() + " " + line["task"].get<std::string>());
    }
    return lines;
  }
  bool stop_runner(Duration limit = 5min) {
    life->runner.request_stop();
    return clock.advance_until([this] { return life->ended; }, limit);
  }

  fakes::FakeClock clock{clock_options()};
  fakes::FakeApiServer server{clock};
  RunnerConfig config = test_config();
  std::uint64_t lives = 0;
  std::unique_ptr<Life> life;
};

// --- Registration ---

TEST_F(RunnerTest, AnAgentThatExistsIsNotChanged) {
  server.put(api::kAgent, {{"metadata", {{"name", "builder-1"}, {"namespace", "default"}}},
                           {"spec", {{"capabilities", {"weave"}}, {"capacity", 77}}}});
  start_runner();
  EXPECT_EQ((*server.object(api::kAgent, kAgentKey))["spec"],
            (Json{{"capabilities", {"weave"}}, {"capacity", 77}}));
}

TEST_F(RunnerTest, RegistrationIsTriedUntilTheApiServerTakesIt) {
  server.partition("runner", true);
  start_runner();
  clock.advance(1min);
  EXPECT_FALSE(life->ended);
  server.partition("runner", false);
  clock.advance(15s);
  EXPECT_TRUE(server.object(kube::kLease, kLeaseKey));
}

TEST_F(RunnerTest, AnAgentThatTheApiServerFindsInvalidEndsTheRunner) {
  server.fail_next({.method = "POST"}, Fault::answer(fakes::invalid(api::kAgent, "builder-1", {})));
  start_runner();
  EXPECT_TRUE(life->ended);
  EXPECT_FALSE(life->result);
}

TEST_F(RunnerTest, ANewAgentIsRegisteredWithItsCapabilitiesAndHeartbeat) {
  config.type = "builder";
  config.labels = {{"zone", "a"}};
  start_runner();
  const auto agent = *server.object(api::kAgent, kAgentKey);
  EXPECT_EQ(agent["spec"], (Json{{"type", "builder"},
                                 {"capabilities", {"build"}},
                                 {"capacity", 2},
                                 {"heartbeat", {{"interval", "10s"}, {"timeout", "30s"}}}}));
  EXPECT_EQ(agent["metadata"]["labels"]["zone"], "a");
  EXPECT_TRUE(server.object(kube::kLease, kLeaseKey));
}

// --- Taking up work ---

TEST_F(RunnerTest, NothingStartsBeforeTheClaimIsAccepted) {
  start_runner();
  server.fail_next({.method = "PATCH"}, Fault::drop_request(), 3);
  assign("a", "id-1");
  EXPECT_EQ(server.faults_left(), 1U);
  EXPECT_EQ(commands(), 0U);
  EXPECT_THAT(journal(), IsEmpty());
  clock.advance(1s);
  EXPECT_EQ(commands(), 1U);
}

TEST_F(RunnerTest, AClaimWhoseAnswerIsLostStartsTheCommandOnce) {
  start_runner();
  server.fail_next({.method = "PATCH"}, Fault::drop_answer());
  assign("a", "id-1");
  clock.advance(10s);
  EXPECT_EQ(commands(), 1U);
  EXPECT_EQ(state("a"), "Running");
}

TEST_F(RunnerTest, AClaimThatTheApiServerRefusesStartsNothing) {
  start_runner();
  // The Task moves on while our claim is on its way.
  const auto hold = server.hold_next({.method = "PATCH"});
  server.put(api::kTask, task_json("a", "id-1"));
  clock.settle();
  server.edit(api::kTask, {"default", "a"}, [](Json& task) {
    task["status"]["assignment"]["id"] = "id-2";
    task["status"]["agentName"] = "builder-2";
  });
  hold->release();
  clock.advance(1min);
  EXPECT_EQ(commands(), 0U);
  EXPECT_THAT(journal(), ElementsAre("refused a"));
  EXPECT_EQ(state("a"), "(none)");
}

TEST_F(RunnerTest, ATypeWithoutACommandIsRejected) {
  start_runner();
  assign("a", "id-1", "paint");
  EXPECT_EQ(state("a"), "Rejected");
  EXPECT_THAT(report("a")["message"], HasSubstr("paint"));
  EXPECT_EQ(commands(), 0U);
}

TEST_F(RunnerTest, WorkAboveTheCapacityIsRejected) {
  start_runner();
  for (const char* name : {"a", "b", "c"}) server.put(api::kTask, task_json(name, std::string("id-") + name));
  clock.advance(1s);
  EXPECT_EQ(commands(), 2U);
  EXPECT_EQ(state("c"), "Rejected");
  EXPECT_THAT(report("c")["message"], HasSubstr("full (2 of 2)"));
  end_command(0);
  assign("d", "id-d");
  EXPECT_EQ(commands(), 3U) << "a place is free again";
}

TEST_F(RunnerTest, ACommandThatCannotStartFailsTheAttempt) {
  start_runner();
  life->launcher.refuse_with = "cannot run \"build-it\": No such file or directory";
  assign("a", "id-1");
  EXPECT_EQ(state("a"), "Failed");
  EXPECT_EQ(error_code("a"), "CannotStart");
  EXPECT_THAT(report("a")["error"]["message"], HasSubstr("build-it"));
  EXPECT_THAT(journal(), ElementsAre("start a", "end a", "reported a"));
}

TEST_F(RunnerTest, NothingNewStartsWhileTheHeartbeatIsLost) {
  start_runner();
  assign("a", "id-1");
  server.fail_next({.method = "PUT"}, Fault::drop_request(), 1000);
  clock.advance(1min);
  assign("b", "id-2");
  EXPECT_EQ(commands(), 1U);
  EXPECT_EQ(state("b"), "(none)");
  server.clear_faults();
  clock.advance(15s);
  EXPECT_EQ(commands(), 2U);
}

TEST_F(RunnerTest, AnAssignmentRunsOnceWhateverTheWatchRepeats) {
  start_runner();
  server.repeat_next_events(10);
  assign("a", "id-1");
  server.break_watches();
  clock.advance(1min);
  server.compact();
  server.break_watches();
  clock.advance(1min);
  end_command(0);
  server.break_watches();
  clock.advance(1min);
  // As if somebody restored an old state of the Task.
  edit("a", [](Json& task) { task["status"].erase("report"); });
  clock.advance(1min);
  EXPECT_EQ(commands(), 1U);
}

TEST_F(RunnerTest, ANewAssignmentOfTheSameTaskRunsAgain) {
  start_runner();
  assign("a", "id-1");
  end_command(0, {.exit_code = 1});
  edit("a", [](Json& task) {
    task["status"]["assignment"]["id"] = "id-2";
    task["status"]["attempt"] = 2;
    task["status"].erase("report");
  });
  EXPECT_EQ(commands(), 2U);
  EXPECT_EQ(life->run(1)->variable("CONVOKE_TASK_ATTEMPT"), "2");
}

// --- The outcome ---

TEST_F(RunnerTest, AFailureIsReportedWithItsReason) {
  start_runner();
  assign("a", "id-1");
  end_command(0, {.exit_code = 64, .error_tail = "no disk\n"});
  EXPECT_EQ(state("a"), "Failed");
  EXPECT_EQ(report("a")["error"],
            (Json{{"code", "ExitCode64"}, {"message", "no disk"}, {"retryable", false}}));
}

TEST_F(RunnerTest, AnOutcomeOutlivesAnOutageOfTheApiServer) {
  start_runner();
  assign("a", "id-1");
  server.partition("runner", true);
  end_command(0);
  clock.advance(30min);
  EXPECT_EQ(state("a"), "Running");
  server.partition("runner", false);
  clock.advance(40s);
  EXPECT_EQ(state("a"), "Succeeded");
  EXPECT_THAT(journal(), ElementsAre("start a", "end a", "reported a"));
}

TEST_F(RunnerTest, AnOutcomeThatIsForbiddenForAWhileIsNotLost) {
  start_runner();
  assign("a", "id-1");
  server.fail_next({.method = "PATCH"}, Fault::answer(fakes::forbidden(api::kTask, "a", "no role")), 5);
  end_command(0);
  clock.advance(1min);
  EXPECT_EQ(state("a"), "Succeeded");
}

TEST_F(RunnerTest, AnOutcomeThatTheApiServerFindsInvalidBecomesAFailure) {
  start_runner();
  assign("a", "id-1");
  server.fail_next({.method = "PATCH"}, Fault::answer(fakes::invalid(api::kTask, "a", {})));
  end_command(0);
  clock.advance(1s);
  EXPECT_EQ(state("a"), "Failed");
  EXPECT_EQ(error_code("a"), "InvalidReport");
}

TEST_F(RunnerTest, ALateOutcomeIsRefusedByTheApiServerAndDropped) {
  start_runner();
  assign("a", "id-1");
  server.freeze("runner", true);  // it hears of nothing
  server.edit(api::kTask, {"default", "a"}, [](Json& task) {
    task["status"]["assignment"]["id"] = "id-2";
    task["status"]["agentName"] = "builder-2";
    task["status"].erase("report");
  });
  end_command(0);
  server.freeze("runner", false);
  clock.advance(1min);
  EXPECT_EQ(state("a"), "(none)");
  EXPECT_FALSE(life->ended);
}

TEST_F(RunnerTest, SuccessIsReportedWithTheOutputs) {
  start_runner();
  assign("a", "id-1", "build", {{"version", "1.2"}});
  EXPECT_EQ(state("a"), "Running");
  EXPECT_EQ(life->run(0)->variable("CONVOKE_PARAM_VERSION"), "1.2");
  std::ofstream(life->run(0)->variable("CONVOKE_OUTPUT")) << R"({"image": "a:1"})";
  end_command(0);
  EXPECT_EQ(state("a"), "Succeeded");
  EXPECT_EQ(report("a")["outputs"], (Json{{"image", "a:1"}}));
  EXPECT_EQ(report("a")["progress"], 100);
  EXPECT_THAT(journal(), ElementsAre("start a", "end a", "reported a"));
}

TEST_F(RunnerTest, AQuickTaskCostsTwoWrites) {
  start_runner();
  server.forget_requests();
  assign("a", "id-1");
  end_command(0);
  clock.advance(1s);
  EXPECT_EQ(server.write_count("runner"), 2U);
}

TEST_F(RunnerTest, ProgressIsReportedOnChangeOnly) {
  start_runner();
  assign("a", "id-1");
  server.forget_requests();
  const auto file = life->run(0)->variable("CONVOKE_PROGRESS");
  std::ofstream(file) << "10 reading\n40 compiling\n";
  clock.advance(2s);
  EXPECT_EQ(report("a")["progress"], 40);
  EXPECT_EQ(report("a")["message"], "compiling");
  clock.advance(5s);
  EXPECT_EQ(server.write_count("runner"), 1U);
}

TEST_F(RunnerTest, ProgressThatWasNotDeliveredIsSaidLater) {
  start_runner();
  assign("a", "id-1");
  server.fail_next({.method = "PATCH"}, Fault::drop_request());
  std::ofstream(life->run(0)->variable("CONVOKE_PROGRESS")) << "40 compiling\n";
  clock.advance(5s);
  EXPECT_EQ(report("a")["progress"], 40);
}

// --- Ending work that is not wanted any more ---

TEST_F(RunnerTest, ADeletedTaskTakesItsCommandAlong) {
  start_runner();
  assign("a", "id-1");
  server.remove(api::kTask, {"default", "a"});
  clock.advance(1s);
  EXPECT_THAT(life->run(0)->signals, ElementsAre(SIGTERM));
  EXPECT_THAT(journal(), ElementsAre("start a", "killed a", "end a"));
}

TEST_F(RunnerTest, ACancelledTaskTakesItsCommandAlongAndNothingIsReported) {
  start_runner();
  assign("a", "id-1");
  edit("a", [](Json& task) { task["status"]["phase"] = "Cancelled"; });
  EXPECT_THAT(life->run(0)->signals, ElementsAre(SIGTERM));
  EXPECT_EQ(state("a"), "Running") << "as it was";
}

TEST_F(RunnerTest, ACommandThatDoesNotHeedTermIsKilled) {
  start_runner();
  life->launcher.deadly_signals = {SIGKILL};
  assign("a", "id-1");
  edit("a", [](Json& task) { task["status"]["phase"] = "Cancelled"; });
  clock.advance(9s);
  EXPECT_THAT(life->run(0)->signals, ElementsAre(SIGTERM));
  clock.advance(1s);
  EXPECT_THAT(life->run(0)->signals, ElementsAre(SIGTERM, SIGKILL));
}

TEST_F(RunnerTest, ANewAssignmentWaitsForTheOldCommandToEnd) {
  start_runner();
  life->launcher.deadly_signals = {SIGKILL};
  assign("a", "id-1");
  edit("a", [](Json& task) {
    task["status"]["assignment"]["id"] = "id-2";
    task["status"]["phase"] = "Assigned";
    task["status"].erase("report");
  });
  EXPECT_EQ(commands(), 1U);
  clock.advance(11s);
  EXPECT_EQ(commands(), 2U);
  EXPECT_EQ(report("a")["assignmentID"], "id-2");
}

TEST_F(RunnerTest, AProgressReportThatIsRefusedEndsTheCommandWhateverTheCacheSays) {
  start_runner();
  assign("a", "id-1");
  server.fail_next({.method = "PATCH"}, Fault::answer(fakes::unprocessable_patch()));
  std::ofstream(life->run(0)->variable("CONVOKE_PROGRESS")) << "40 compiling\n";
  clock.advance(5s);
  EXPECT_THAT(life->run(0)->signals, ElementsAre(SIGTERM));
  EXPECT_EQ(commands(), 1U);
  EXPECT_THAT(journal(), ElementsAre("start a", "refused a", "killed a", "end a"));
}

// --- Restarts, shutdown, a second self ---

TEST_F(RunnerTest, WhatAKilledRunnerLeftIsReportedAsFailed) {
  start_runner();
  assign("a", "id-1");
  start_runner();  // a second life under the same name
  EXPECT_EQ(state("a"), "Running") << "the first one's Lease has not run out yet";
  clock.advance(1min);
  EXPECT_EQ(state("a"), "Failed");
  EXPECT_EQ(error_code("a"), "AgentRestarted");
  EXPECT_EQ(report("a")["error"]["retryable"], true);
  EXPECT_EQ(commands(), 0U);
}

TEST_F(RunnerTest, ADeposedRunnerKillsItsCommandsAndEndsWithAnError) {
  start_runner();
  assign("a", "id-1");
  server.edit(kube::kLease, kLeaseKey, [](Json& lease) { lease["spec"]["holderIdentity"] = "usurper"; });
  clock.advance(15s);
  EXPECT_TRUE(life->ended);
  EXPECT_FALSE(life->result);
  EXPECT_THAT(life->run(0)->signals, ElementsAre(SIGTERM));
  EXPECT_EQ(state("a"), "Running") << "its successor says what becomes of it";
  EXPECT_EQ((*server.object(kube::kLease, kLeaseKey))["spec"]["holderIdentity"], "usurper");
}

TEST_F(RunnerTest, AStoppingRunnerRejectsNewWorkAndWaitsForItsCommands) {
  start_runner();
  assign("a", "id-1");
  life->runner.request_stop();
  assign("b", "id-2");
  EXPECT_EQ(state("b"), "Rejected");
  EXPECT_THAT(report("b")["message"], HasSubstr("shutting down"));
  clock.advance(5s);
  EXPECT_FALSE(life->ended);
  EXPECT_TRUE(server.object(kube::kLease, kLeaseKey));
  end_command(0);
  clock.advance(1s);
  EXPECT_TRUE(life->ended);
  EXPECT_TRUE(life->result);
  EXPECT_EQ(state("a"), "Succeeded");
  EXPECT_FALSE(server.object(kube::kLease, kLeaseKey));
}

TEST_F(RunnerTest, ACommandThatOutlastsTheDrainIsEndedAndReported) {
  start_runner();
  life->launcher.deadly_signals = {SIGKILL};
  assign("a", "id-1");
  life->runner.request_stop();
  clock.advance(29s);
  EXPECT_THAT(life->run(0)->signals, IsEmpty());
  clock.advance(15s);
  EXPECT_THAT(life->run(0)->signals, ElementsAre(SIGTERM, SIGKILL));
  EXPECT_EQ(error_code("a"), "AgentShutdown");
  EXPECT_EQ(report("a")["error"]["retryable"], true);
  EXPECT_TRUE(life->ended);
  EXPECT_FALSE(server.object(kube::kLease, kLeaseKey));
}

TEST_F(RunnerTest, StoppingEndsAlsoWithoutAnApiServer) {
  start_runner();
  assign("a", "id-1");
  server.partition("runner", true);
  EXPECT_TRUE(stop_runner());
  EXPECT_THAT(life->run(0)->signals, ElementsAre(SIGTERM));
}

TEST_F(RunnerTest, AStopBeforeTheLeaseIsHeldEndsAtOnce) {
  server.put(kube::kLease, {{"metadata", {{"name", kLeaseKey.name}, {"namespace", "default"}}},
                            {"spec", {{"holderIdentity", "other"}, {"leaseDurationSeconds", 3600}}}});
  start_runner();
  EXPECT_TRUE(stop_runner(1s));
  EXPECT_TRUE(life->result);
}

TEST_F(RunnerTest, AnIdleRunnerStopsAtOnceAndDeletesItsLease) {
  start_runner();
  EXPECT_TRUE(stop_runner(1s));
  EXPECT_TRUE(life->result);
  EXPECT_FALSE(server.object(kube::kLease, kLeaseKey));
}

}  // namespace
}  // namespace convoke::runner
