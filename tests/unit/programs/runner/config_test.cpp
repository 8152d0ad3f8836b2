#include "programs/runner/config.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace convoke::runner {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::string error_of(const std::string& text) {
  const auto config = parse_runner_config(text, "agent.yaml");
  return config ? "(no error)" : config.error().message;
}

Result<RunnerInvocation> load(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "convoke-runner");
  return load_runner_config(static_cast<int>(arguments.size()), arguments.data());
}

// A configuration file for one test.
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text)
      : path_(::testing::TempDir() + "/runner_config_test-" + std::to_string(::getpid()) + ".yaml") {
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::remove(path_.c_str()); }
  ConfigFile(const ConfigFile&) = delete;
  ConfigFile& operator=(const ConfigFile&) = delete;
  const char* path() const { return path_.c_str(); }

 private:
  const std::string path_;
};

// --- What is wrong is said with its place ---

TEST(RunnerConfig, AnUnknownKeyIsNamedWithLineAndPath) {
  EXPECT_THAT(error_of("agent:\n  name: a\n  colour: red\n"),
              AllOf(HasSubstr("agent.yaml:3:3"), HasSubstr("agent.colour"), HasSubstr("no such key"),
                    HasSubstr("capabilities")));
  EXPECT_THAT(error_of("tasks:\n  build: {command: [make], retries: 3}\n"), HasSubstr("tasks.build.retries"));
}

TEST(RunnerConfig, AMistypedKeyIsToldWhatWasProbablyMeant) {
  EXPECT_THAT(error_of("agent: {capcity: 3}"), HasSubstr("did you mean agent.capacity? known here: "));
  EXPECT_THAT(error_of("taks: {}"), HasSubstr("did you mean tasks?"));
}

TEST(RunnerConfig, AKeyThatIsThereTwiceIsRefused) {
  EXPECT_THAT(error_of("agent:\n  name: a\n  name: b\n"),
              HasSubstr("agent.yaml:3:3: agent.name: is there twice"));
  EXPECT_THAT(error_of("tasks:\n  make: {command: [a]}\n  make: {command: [b]}\n"),
              HasSubstr("agent.yaml:3:3: tasks.make: is there twice"));
  EXPECT_THAT(error_of("tasks: {make: {command: [a], env: {A: b, A: c}}}"),
              HasSubstr("tasks.make.env.A: is there twice"));
}

TEST(RunnerConfig, WrongTypesAndRangesAreNamed) {
  EXPECT_THAT(error_of("agent: {capacity: many}"), HasSubstr("agent.capacity: expected a whole number"));
  EXPECT_THAT(error_of("agent: {capacity: 0}"), HasSubstr("must be from 1 to 1000, not 0"));
  EXPECT_THAT(error_of("agent: {heartbeat: {interval: soon}}"), HasSubstr("agent.heartbeat.interval"));
  EXPECT_THAT(error_of("killAfter: 2h"), HasSubstr("killAfter: must be from"));
  EXPECT_THAT(error_of("shell: perhaps"), HasSubstr("shell: expected true or false"));
  EXPECT_THAT(error_of("agent: [a]"), HasSubstr("agent: expected a mapping"));
  EXPECT_THAT(error_of("tasks: {build: {command: make}}"), HasSubstr("tasks.build.command: expected a list"));
  EXPECT_THAT(error_of("tasks: {build: {command: [make], finalExitCodes: [x]}}"),
              HasSubstr("finalExitCodes"));
}

TEST(RunnerConfig, ATaskWithoutACommandIsRefused) {
  EXPECT_THAT(error_of("tasks:\n  build: {env: {A: b}}\n"),
              HasSubstr("tasks.build.command: must name the program"));
}

TEST(RunnerConfig, TextThatIsNotYamlIsNamedWithItsLine) {
  EXPECT_THAT(error_of("agent: {name: a\n  b"), AllOf(HasSubstr("agent.yaml:"), HasSubstr("not YAML")));
}

TEST(RunnerConfig, ASecondDocumentIsNotLostInSilence) {
  EXPECT_EQ(error_of("agent: {name: a}\n---\nshell: true\n"), "agent.yaml: more than one YAML document");
}

TEST(RunnerConfig, AnAgentWithoutANameOrWithoutWorkIsRefused) {
  const ConfigFile nameless("shell: true");
  EXPECT_THAT(load({"--config", nameless.path()}).error().message, HasSubstr("agent.name: is missing"));
  const ConfigFile idle("agent: {name: a}");
  EXPECT_THAT(load({"--config", idle.path()}).error().message, HasSubstr("could do nothing"));
  const ConfigFile hasty("agent: {name: a, heartbeat: {interval: 30s, timeout: 10s}}\nshell: true");
  EXPECT_THAT(load({"--config", hasty.path()}).error().message, HasSubstr("must be longer"));
}

TEST(RunnerConfig, BadFlagsAreRefused) {
  EXPECT_THAT(load({}).error().message, HasSubstr("--config is missing"));
  EXPECT_THAT(load({"--config", "/no/such/file"}).error().message, HasSubstr("/no/such/file"));
  EXPECT_THAT(load({"--log-level", "Loud"}).error().message, HasSubstr("--log-level"));
  EXPECT_FALSE(load({"--colour"}));
}

// --- What is right ---

TEST(RunnerConfig, EverythingThatIsGivenIsRead) {
  const auto config = parse_runner_config(R"(
agent:
  name: builder-1
  namespace: ci
  type: builder
  capabilities: [compile, unit-test]
  capacity: 4
  labels: {zone: a}
  heartbeat: {interval: 5s, timeout: 20s}
tasks:
  compile:
    command: [./compile.sh, --fast]
    env: {CC: gcc}
    workingDirectory: /srv
    finalExitCodes: [64, 65]
shell: true
workDirectory: /var/tmp/agent
killAfter: 2s
drain: 1m
progressInterval: 500ms
journal: /tmp/journal
)",
                                          "agent.yaml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->name, "builder-1");
  EXPECT_EQ(config->namespace_, "ci");
  EXPECT_EQ(config->type, "builder");
  EXPECT_THAT(config->capabilities, ElementsAre("compile", "unit-test"));
  EXPECT_EQ(config->capacity, 4);
  EXPECT_THAT(config->labels, ElementsAre(Pair("zone", "a")));
  EXPECT_EQ(config->heartbeat_interval, 5s);
  EXPECT_EQ(config->heartbeat_timeout, 20s);
  const auto& compile = config->tasks.at("compile");
  EXPECT_THAT(compile.arguments, ElementsAre("./compile.sh", "--fast"));
  EXPECT_THAT(compile.environment, ElementsAre(Pair("CC", "gcc")));
  EXPECT_EQ(compile.working_directory, "/srv");
  EXPECT_THAT(compile.final_exit_codes, ElementsAre(64, 65));
  EXPECT_TRUE(config->shell);
  EXPECT_EQ(config->work_directory, "/var/tmp/agent");
  EXPECT_EQ(config->kill_after, 2s);
  EXPECT_EQ(config->drain, 1min);
  EXPECT_EQ(config->progress_interval, 500ms);
  EXPECT_EQ(config->journal, "/tmp/journal");
}

TEST(RunnerConfig, CapabilitiesDefaultToWhatHasACommand) {
  const auto config = parse_runner_config("tasks: {b: {command: [b]}, a: {command: [a]}}\nshell: true", "f");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_THAT(config->capabilities, ElementsAre("a", "b", "shell"));
  EXPECT_EQ(config->namespace_, "default");
  EXPECT_EQ(config->capacity, 10);
}

TEST(RunnerConfig, FlagsGoOverTheFile) {
  const ConfigFile file("agent: {name: a, namespace: ci}\nshell: true\njournal: j");
  const auto given = load({"--config", file.path(), "--name", "b", "--namespace", "prod", "--journal", "k",
                           "--log-level", "Debug", "--log-format", "Text"});
  ASSERT_TRUE(given) << given.error().message;
  EXPECT_EQ(given->config.name, "b");
  EXPECT_EQ(given->config.namespace_, "prod");
  EXPECT_EQ(given->config.journal, "k");
  EXPECT_EQ(given->config.log_level, LogLevel::Debug);
  EXPECT_EQ(given->config.log_format, LogFormat::Text);
  EXPECT_EQ(load({"--config", file.path()})->config.namespace_, "ci");
}

TEST(RunnerConfig, HelpAndVersionArePrinted) {
  const auto help = load({"--help"});
  ASSERT_TRUE(help);
  for (const auto* flag : {"--config", "--kubeconfig", "--context", "--name", "--namespace", "--journal",
                           "--log-level", "--log-format", "--version"})
    EXPECT_THAT(help->print, HasSubstr(flag));
  EXPECT_THAT(load({"--version"})->print, HasSubstr("convoke-runner"));
}

}  // namespace
}  // namespace convoke::runner
