// What the runner's tests share: Tasks as the operator would have written them, and a launcher that runs
// nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "controller/kube/object.h"
#include "programs/runner/config.h"
#include "programs/runner/process.h"
#include "reconcilers/api/task.h"
#include "tests/fakes/fake_clock.h"

namespace convoke::runner {

inline const kube::ObjectKey kAgentKey{"default", "builder-1"};
inline const kube::ObjectKey kLeaseKey{"default", "convoke-agent-builder-1"};

// Threads take turns first come, first served; with --gtest_shuffle by chance, under the seed that it prints.
inline fakes::FakeClockOptions clock_options() {
  const int seed = ::testing::UnitTest::GetInstance()->random_seed();
  return seed == 0 ? fakes::FakeClockOptions{} : fakes::FakeClockOptions{.seed = seed};
}

inline Json task_json(const std::string& name, const std::string& assignment_id,
                      const std::string& type = "build", const Json& parameters = Json::object()) {
  return {{"apiVersion", "convoke.dev/v1alpha1"},
          {"kind", "Task"},
          {"metadata", {{"name", name}, {"namespace", "default"}, {"uid", "uid-" + name}}},
          {"spec", {{"type", type}, {"parameters", parameters}}},
          {"status",
           {{"phase", "Assigned"},
            {"attempt", 1},
            {"agentName", "builder-1"},
            {"assignment", {{"id", assignment_id}}}}}};
}

inline RunnerConfig test_config() {
  RunnerConfig config;
  config.name = "builder-1";
  config.capabilities = {"build"};
  config.capacity = 2;
  config.tasks["build"].arguments = {"build-it", "--fast"};
  config.tasks["build"].final_exit_codes = {64};
  return config;
}

// A command that the test ends when it likes.
struct FakeRun {
  Command command;
  std::vector<int> signals;
  std::function<void(const CommandEnd&)> on_end;
  bool ended = false;

  std::string variable(const std::string& name) const {
    for (const auto& entry : command.environment) {
      if (entry.starts_with(name + "=")) return entry.substr(name.size() + 1);
    }
    return "(not set)";
  }
  void end(const CommandEnd& how) {
    if (ended) return;
    ended = true;
    on_end(how);
  }
};

class FakeLauncher final : public ProcessLauncher {
 public:
  Result<std::unique_ptr<Process>> launch(const Command& command,
                                          std::function<void(const CommandEnd&)> on_end) override {
    if (!refuse_with.empty()) return Error{ErrorCode::Invalid, refuse_with};
    auto run = std::make_shared<FakeRun>(FakeRun{command, {}, std::move(on_end)});
    runs.push_back(run);
    return std::unique_ptr<Process>(std::make_unique<FakeProcess>(std::move(run), deadly_signals));
  }

  std::string refuse_with;
  std::vector<int> deadly_signals = {15, 9};
  std::vector<std::shared_ptr<FakeRun>> runs;

 private:
  class FakeProcess final : public Process {
   public:
    FakeProcess(std::shared_ptr<FakeRun> run, std::vector<int> deadly)
        : run_(std::move(run)), deadly_(std::move(deadly)) {}
    pid_t pid() const override { return 1; }
    void signal_group(int signal) override {
      run_->signals.push_back(signal);
      for (const int deadly : deadly_) {
        if (signal == deadly) return run_->end({.signal = signal});
      }
    }

   private:
    const std::shared_ptr<FakeRun> run_;
    const std::vector<int> deadly_;
  };
};

}  // namespace convoke::runner
