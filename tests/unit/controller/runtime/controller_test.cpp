#include "controller/runtime/controller.h"

#include <functional>
#include <map>
#include <stdexcept>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "controller/kube/json.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/controller/runtime/kept_log.h"
#include "tests/unit/controller/runtime/keys.h"

namespace convoke::runtime {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Does what the test says, for each call of each name.
class ScriptedReconciler final : public Reconciler {
 public:
  using Script = std::function<ReconcileResult(int call)>;  // calls of this key count from 1

  void script(const std::string& name, Script made) { scripts_[name] = std::move(made); }

  ReconcileResult reconcile(const kube::ObjectKey& reconciled) override {
    ids.push_back(current_reconcile_id());
    const int call = ++calls[reconciled.name];
    const auto script = scripts_.find(reconciled.name);
    return script == scripts_.end() ? Done{} : script->second(call);
  }

  // One thread runs at a time: the clock's baton guards these.
  std::map<std::string, int> calls;
  std::vector<unsigned long> ids;

 private:
  std::map<std::string, Script> scripts_;
};

class ControllerTest : public ::testing::Test {
 protected:
  // A bare number of the metrics page.
  double metric(const std::string& name, const std::string& labels = "controller=\"task\"") const {
    const std::string text = "\n" + prometheus::TextSerializer().Serialize(registry.Collect());
    const std::string start = "\n" + name + "{" + labels + "} ";
    const auto at = text.find(start);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + start.size()));
  }

  double total(const std::string& result) const {
    return metric("controller_runtime_reconcile_total", "controller=\"task\",result=\"" + result + "\"");
  }

  fakes::FakeClock clock;
  prometheus::Registry registry;
  std::shared_ptr<KeptLog> log = std::make_shared<KeptLog>();
  ScriptedReconciler reconciler;
  Controller controller{
      {"task", 2}, reconciler, clock, Logger(log, clock, LogLevel::Debug, LogFormat::Json), registry};
};

// --- Failures ---

TEST_F(ControllerTest, ARetryComesBackWithABackoffThatGrows) {
  reconciler.script("a", [](int call) -> ReconcileResult {
    if (call < 4) {
      return Retry{{ErrorCode::Conflict, "the object has been modified"}};
    }
    return Done{};
  });
  controller.start();
  controller.queue().add(key("a"));
  clock.settle();
  EXPECT_EQ(reconciler.calls["a"], 1);
  clock.advance(5ms);
  EXPECT_EQ(reconciler.calls["a"], 2);
  clock.advance(9ms);
  EXPECT_EQ(reconciler.calls["a"], 2);
  clock.advance(1ms);
  EXPECT_EQ(reconciler.calls["a"], 3);
  clock.advance(1h);
  EXPECT_EQ(reconciler.calls["a"], 4);
  EXPECT_EQ(controller.queue().failures(key("a")), 0);
  EXPECT_EQ(total("error"), 3);
  EXPECT_EQ(total("success"), 1);
  EXPECT_EQ(metric("controller_runtime_reconcile_errors_total"), 3);
}

TEST_F(ControllerTest, ARetryWaitsAsLongAsTheServerAskedFor) {
  reconciler.script("a", [](int call) -> ReconcileResult {
    Error throttled{ErrorCode::Throttled, "slow down"};
    throttled.retry_after = 7s;
    return call == 1 ? ReconcileResult(Retry{throttled}) : ReconcileResult(Done{});
  });
  controller.start();
  controller.queue().add(key("a"));
  clock.advance(6999ms);
  EXPECT_EQ(reconciler.calls["a"], 1);
  clock.advance(1ms);
  EXPECT_EQ(reconciler.calls["a"], 2);
}

TEST_F(ControllerTest, ATerminalErrorIsNotRetriedButCounted) {
  reconciler.script("a", [](int) { return Terminal{{ErrorCode::Invalid, "the graph has a cycle"}}; });
  controller.start();
  controller.queue().add(key("a"));
  clock.advance(1h);
  EXPECT_EQ(reconciler.calls["a"], 1);
  EXPECT_EQ(metric("controller_runtime_terminal_reconcile_errors_total"), 1);
  EXPECT_EQ(total("error"), 1);
  EXPECT_THAT(log->lines(LogLevel::Warn), ElementsAre(HasSubstr("the graph has a cycle")));
}

TEST_F(ControllerTest, AnExceptionIsCountedAndRetriedAndDisturbsNoOtherKey) {
  reconciler.script("a", [](int call) -> ReconcileResult {
    if (call == 1) {
      throw std::runtime_error("out of range");
    }
    if (call == 2) {
      throw 42;
    }
    return Done{};
  });
  controller.start();
  controller.queue().add(key("a"));
  controller.queue().add(key("b"));
  clock.advance(1min);
  EXPECT_EQ(reconciler.calls["a"], 3);
  EXPECT_EQ(reconciler.calls["b"], 1);
  EXPECT_EQ(metric("controller_runtime_reconcile_panics_total"), 2);
  EXPECT_THAT(log->lines(LogLevel::Warn),
              ElementsAre(HasSubstr("out of range"), HasSubstr("not a std::exception")));
}

TEST_F(ControllerTest, AFailureIsOneLogLineThatNamesTheObjectAndTheReconcile) {
  reconciler.script("a", [](int call) -> ReconcileResult {
    return call == 1 ? ReconcileResult(Retry{{ErrorCode::Unavailable, "no answer"}})
                     : ReconcileResult(Done{});
  });
  controller.start();
  controller.queue().add(key("a"));
  clock.advance(1s);
  const auto lines = log->lines(LogLevel::Warn);
  ASSERT_EQ(lines.size(), 1U);
  const auto line = parse_json(lines[0]);
  ASSERT_TRUE(line) << lines[0];
  EXPECT_EQ((*line)["controller"], "task");
  EXPECT_EQ((*line)["namespace"], "default");
  EXPECT_EQ((*line)["name"], "a");
  EXPECT_EQ((*line)["reconcileID"], reconciler.ids.at(0));
  EXPECT_THAT((*line)["error"].get<std::string>(), HasSubstr("no answer"));
}

// --- Success ---

TEST_F(ControllerTest, ARequeueComesBackAfterItsDelayWithoutBackoff) {
  reconciler.script("a", [](int call) -> ReconcileResult {
    return call == 1 ? ReconcileResult(RequeueAfter{30s}) : ReconcileResult(Done{});
  });
  controller.start();
  controller.queue().add(key("a"));
  clock.advance(30s - 1ms);
  EXPECT_EQ(reconciler.calls["a"], 1);
  clock.advance(1ms);
  EXPECT_EQ(reconciler.calls["a"], 2);
  EXPECT_EQ(total("requeue_after"), 1);
  EXPECT_EQ(total("success"), 1);
  EXPECT_TRUE(log->lines(LogLevel::Warn).empty());
}

TEST_F(ControllerTest, AChangeDuringAReconcileRunsItAgain) {
  reconciler.script("a", [this](int call) -> ReconcileResult {
    if (call == 1) {
      controller.queue().add(key("a"));
      return RequeueAfter{1h};
    }
    return Done{};
  });
  controller.start();
  controller.queue().add(key("a"));
  clock.settle();
  EXPECT_EQ(reconciler.calls["a"], 2);
  clock.advance(2h);
  EXPECT_EQ(reconciler.calls["a"], 2);
}

TEST_F(ControllerTest, EveryReconcileHasItsOwnId) {
  controller.start();
  for (const char* name : {"a", "b", "c"}) {
    controller.queue().add(key(name));
  }
  clock.settle();
  EXPECT_THAT(reconciler.ids, ElementsAre(1UL, 2UL, 3UL));
  EXPECT_EQ(current_reconcile_id(), 0UL);
}

TEST_F(ControllerTest, MetricsExistBeforeTheFirstReconcile) {
  for (const char* result : {"success", "error", "requeue_after"}) {
    EXPECT_EQ(total(result), 0) << result;
  }
  for (const char* name :
       {"controller_runtime_reconcile_errors_total", "controller_runtime_active_workers",
        "controller_runtime_terminal_reconcile_errors_total", "controller_runtime_reconcile_panics_total",
        "controller_runtime_reconcile_time_seconds_count"}) {
    EXPECT_EQ(metric(name), 0) << name;
  }
  EXPECT_EQ(metric("controller_runtime_max_concurrent_reconciles"), 2);
}

// --- Stopping ---

// A reconcile that goes on until the test lets it end.
class Gate {
 public:
  explicit Gate(Clock& clock) : changed_(clock.make_condition()) {}
  void wait() {
    MutexLock lock(mutex_);
    while (!open_) {
      changed_->wait(mutex_);
    }
  }
  void open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_->notify_all();
  }

 private:
  Mutex mutex_;
  std::unique_ptr<Condition> changed_;
  bool open_ GUARDED_BY(mutex_) = false;
};

TEST_F(ControllerTest, StopGivesUpWaitingAfterTheDrainTime) {
  Gate gate(clock);
  reconciler.script("slow", [&](int) -> ReconcileResult {
    gate.wait();
    return Done{};
  });
  controller.start();
  controller.queue().add(key("slow"));
  clock.settle();
  EXPECT_EQ(metric("controller_runtime_active_workers"), 1);
  const MonotonicTime before = clock.monotonic_now();
  EXPECT_FALSE(controller.stop(30s));
  EXPECT_EQ(clock.monotonic_now() - before, 30s);
  gate.open();
  EXPECT_TRUE(controller.stop(30s));
  EXPECT_EQ(metric("controller_runtime_active_workers"), 0);
}

TEST_F(ControllerTest, StopLetsRunningReconcilesEndAndStartsNoOthers) {
  reconciler.script("slow", [this](int) -> ReconcileResult {
    StopSignal never(clock);
    never.sleep_for(5s);
    return Done{};
  });
  controller.start();
  controller.queue().add(key("slow"));
  clock.settle();
  controller.queue().add(key("b"));
  controller.queue().add_after(key("c"), 1s);
  clock.settle();
  const int before = reconciler.calls["b"];
  EXPECT_TRUE(controller.stop(30s));
  controller.queue().add(key("d"));
  clock.advance(1min);
  EXPECT_EQ(reconciler.calls["b"], before);
  EXPECT_EQ(reconciler.calls["c"], 0);
  EXPECT_EQ(reconciler.calls["d"], 0);
  EXPECT_EQ(total("success"), 1 + before);
}

TEST_F(ControllerTest, AControllerThatWasNeverStartedStopsAtOnce) {
  EXPECT_TRUE(controller.stop(30s));
}

}  // namespace
}  // namespace convoke::runtime
