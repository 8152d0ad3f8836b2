#include "programs/operator/config.h"

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::programs {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

std::string yaml_mistakes(const std::string& text) {
  OperatorConfig config;
  const Status status = apply_yaml(config, text, "c.yaml");
  return status ? "" : status.error().message;
}

Result<Invocation> load(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "convoke-operator");
  return load_operator_config(static_cast<int>(arguments.size()), arguments.data());
}

std::string load_mistakes(const std::vector<const char*>& arguments) {
  const auto loaded = load(arguments);
  return loaded ? "" : loaded.error().message;
}

std::string without_comments(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find_first_not_of(' ');
    if (first != std::string::npos && line[first] != '#') out += line + '\n';
  }
  return out;
}

// A file that is gone at the end.
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text)
      : path_(testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->name() + ".yaml") {
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::remove(path_.c_str()); }
  ConfigFile(const ConfigFile&) = delete;
  ConfigFile& operator=(const ConfigFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(OperatorConfigYaml, UnknownKeyIsNamedWithItsLineAndItsNeighbours) {
  EXPECT_EQ(yaml_mistakes("drain: 10s\nworkers:\n  tasks: 3\n"),
            "c.yaml:3:3: workers.tasks: there is no such key; did you mean workers.task? known here: task, "
            "workflowRun, workflow, agent, dispatch");
  EXPECT_THAT(
      yaml_mistakes("leaderelection: {}\n"),
      StartsWith("c.yaml:1:1: leaderelection: there is no such key; did you mean leaderElection? known "
                 "here: kubeconfig, context, "));
  EXPECT_THAT(yaml_mistakes("colour: red\n"),
              StartsWith("c.yaml:1:1: colour: there is no such key; known here: kubeconfig, context, "));
}

TEST(OperatorConfigYaml, KeyInTheWrongPlaceIsToldWhereItBelongs) {
  EXPECT_THAT(yaml_mistakes("leaseDuration: 15s\n"), HasSubstr("did you mean leaderElection.leaseDuration?"));
  EXPECT_THAT(yaml_mistakes("log: {perSecond: 3}\n"), HasSubstr("did you mean events.perSecond?"));
}

TEST(OperatorConfigYaml, EveryMistakeIsReported) {
  EXPECT_EQ(yaml_mistakes("workers:\n  task: 0\n  agent: [1]\nlog: loud\nevents:\n  burst: x\n"),
            "c.yaml:2:9: workers.task: 0 is not between 1 and 256\n"
            "c.yaml:3:10: workers.agent: is not a single value but should be a whole number from 1 to 256\n"
            "c.yaml:4:6: log: is not a map of keys; known here: level, format\n"
            "c.yaml:6:10: events.burst: \"x\" is not a whole number");
}

TEST(OperatorConfigYaml, KeyThatIsThereTwiceIsAMistake) {
  EXPECT_EQ(yaml_mistakes("drain: 10s\ndrain: 20s\n"), "c.yaml:2:1: drain: is there twice");
}

TEST(OperatorConfigYaml, ValuesOfTheWrongTypeOrRangeSayWhatWasExpected) {
  EXPECT_EQ(yaml_mistakes("allowInsecure: yes\n"),
            "c.yaml:1:16: allowInsecure: \"yes\" is neither true nor false");
  EXPECT_EQ(yaml_mistakes("events: {perSecond: 0}\n"),
            "c.yaml:1:21: events.perSecond: 0 is not between 0.1 and 10000");
  EXPECT_EQ(yaml_mistakes("task: {ttlAfterSuccess: 1y}\n"),
            "c.yaml:1:25: task.ttlAfterSuccess: \"1y\" is not a duration such as 90s, 5m or 1h30m");
  EXPECT_EQ(yaml_mistakes("namespace: {a: b}\n"),
            "c.yaml:1:12: namespace: is not a single value but should be a text");
}

TEST(OperatorConfigYaml, TextThatIsNotYamlIsNamedWithItsLine) {
  EXPECT_THAT(yaml_mistakes("drain: 10s\nworkers: {task: 1\n"), StartsWith("c.yaml:3:1: "));
  EXPECT_THAT(yaml_mistakes("\tdrain: 1s"), StartsWith("c.yaml:1:"));
}

TEST(OperatorConfigYaml, OnlyOneMapOfKeysIsAccepted) {
  EXPECT_EQ(yaml_mistakes("- drain"), "c.yaml:1:1: the configuration is not a map of keys");
  EXPECT_EQ(yaml_mistakes("drain: 1s\n---\ndrain: 2s\n"), "c.yaml: more than one YAML document");
  EXPECT_EQ(yaml_mistakes(", drain: 1s\n"),
            "c.yaml:1:1: this is not YAML: a document cannot begin with this");
  EXPECT_THAT(yaml_mistakes("[a]: b\n"), HasSubstr("there is no such key"));
}

TEST(OperatorConfigYaml, AddressMustBeReadable) {
  EXPECT_EQ(yaml_mistakes("serve: {address: '8080'}"),
            "c.yaml:1:18: serve.address: address \"8080\": no port; write \"host:port\" or \":port\"");
}

TEST(OperatorConfigYaml, EmptyTextAndEmptySectionsKeepTheDefaults) {
  EXPECT_EQ(yaml_mistakes(""), "");
  EXPECT_EQ(yaml_mistakes("# only words\n"), "");
  EXPECT_EQ(yaml_mistakes("workers:\nnamespace:\n"), "");
}

TEST(OperatorConfigYaml, EveryKeyIsRead) {
  const std::string text =
      "kubeconfig: /k\n"
      "context: dev\n"
      "allowInsecure: true\n"
      "namespace: team\n"
      "watch:\n"
      "  idleTimeout: 20s\n"
      "leaderElection:\n"
      "  enabled: false\n"
      "  namespace: convoke\n"
      "  name: other\n"
      "  leaseDuration: 30s\n"
      "  renewDeadline: 20s\n"
      "  retryPeriod: 4s\n"
      "serve:\n"
      "  address: 127.0.0.1:0\n"
      "log:\n"
      "  level: Debug\n"
      "  format: Text\n"
      "audit:\n"
      "  path: /audit.log\n"
      "workers:\n"
      "  task: 1\n"
      "  workflowRun: 5\n"
      "  workflow: 3\n"
      "  agent: 7\n"
      "  dispatch: 9\n"
      "backoff:\n"
      "  base: 10ms\n"
      "  max: 1m\n"
      "events:\n"
      "  perSecond: 2.5\n"
      "  burst: 9\n"
      "  burstPerObject: 4\n"
      "drain: 1m30s\n"
      "task:\n"
      "  runningWriteDelay: 50ms\n"
      "  queuedWriteDelay: 2s\n"
      "  waitingRefresh: 1m\n"
      "  rebalanceAfter: 7s\n"
      "  ttlAfterSuccess: 1h\n"
      "  ttlAfterFailure: 2h\n"
      "assignment:\n"
      "  rules: [{\"expression\":\"agent.spec.capacity > 1\",\"message\":\"too small\",\"name\":\"large\","
      "\"namespaces\":[\"a\",\"b\"]}]\n"
      "fairness:\n"
      "  namespaceWeights: a=2\n"
      "  agingInterval: 1h\n"
      "run:\n"
      "  statusInterval: 3s\n"
      "workflow:\n"
      "  statusInterval: 4s\n"
      "agent:\n"
      "  statusInterval: 5s\n"
      "dispatch:\n"
      "  allowLoopback: true\n"
      "  jobs: true\n"
      "cloudEvents:\n"
      "  address: 127.0.0.1:9\n"
      "  tlsCertFile: /tls.crt\n"
      "  tlsKeyFile: /tls.key\n"
      "  tokenFile: /tokens\n"
      "  allowAnonymous: true\n"
      "  maxBytes: 4096\n";
  OperatorConfig config;
  const Status status = apply_yaml(config, text, "c.yaml");
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(config.leader_election.lease_duration, 30s);
  EXPECT_EQ(config.log.level, LogLevel::Debug);
  EXPECT_EQ(config.workers.workflow_run, 5);
  EXPECT_EQ(config.task.running_write_delay, 50ms);
  EXPECT_EQ(without_comments(print_yaml(config)), text);
}

TEST(OperatorConfigYaml, RulesAreReadAsPeopleWriteThem) {
  OperatorConfig config;
  const Status status = apply_yaml(config,
                                   "assignment:\n"
                                   "  rules:\n"
                                   "    - name: same-zone\n"
                                   "      namespaces: [team-a]\n"
                                   "      expression: |\n"
                                   "        agent.metadata.labels['zone'] ==\n"
                                   "        task.spec.parameters.zone\n"
                                   "      message: must be in the task's zone\n"
                                   "    - {name: yes, expression: true}\n",
                                   "c.yaml");
  ASSERT_TRUE(status) << status.error().message;
  ASSERT_EQ(config.assignment.rules.size(), 2U);
  EXPECT_EQ(config.assignment.rules[0].namespaces, std::vector<std::string>{"team-a"});
  EXPECT_EQ(config.assignment.rules[0].message, "must be in the task's zone");
  EXPECT_EQ(config.assignment.rules[1].expression, "true");
  OperatorConfig again;
  ASSERT_TRUE(apply_yaml(again, print_yaml(config), "c.yaml"));
  EXPECT_EQ(again.assignment.rules, config.assignment.rules);
  ASSERT_TRUE(apply_yaml(again, "assignment: {rules: }\n", "c.yaml"));
  EXPECT_TRUE(again.assignment.rules.empty());
}

TEST(OperatorConfigYaml, AnyTextOfARuleIsPrintedSoThatItReadsAsTheSame) {
  for (const char* text :
       {"---", "a: b", "a #b", "two\nlines\n", "'", "\"", "\\", "\t", " ", "~", "null", "{}", "[", "true",
        "\x01", "\x7f", "\u00e9\u2026", "\u0085\u2028\ufeff", "\U0001F600"}) {
    OperatorConfig config;
    config.assignment.rules = {{text, {text}, "true", text}};
    OperatorConfig again;
    const Status status = apply_yaml(again, print_yaml(config), "c.yaml");
    EXPECT_TRUE(status) << text << ": " << status.error().message;
    EXPECT_EQ(again.assignment.rules, config.assignment.rules) << text;
  }
}

TEST(OperatorConfigFlags, RulesAreJsonOnTheCommandLine) {
  const auto loaded =
      load({"--assignment-rules", R"([{"name":"a","expression":"agent.spec.capacity > 3"}])"});
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->config.assignment.rules.size(), 1U);
  EXPECT_THAT(load_mistakes({"--assignment-rules", R"([{"name":"a","expression":"x"}])"}),
              StartsWith("--assignment-rules: [0].expression: (rule a) line 1, column 1: "));
}

TEST(OperatorConfigYaml, AMistakeInARuleIsNamedWithItsLine) {
  EXPECT_THAT(yaml_mistakes("assignment:\n"
                            "  rules:\n"
                            "    - {name: good, expression: 'true'}\n"
                            "    - name: bad\n"
                            "      expression: agent.spec.capacity >\n"),
              StartsWith("c.yaml:4:7: assignment.rules[1].expression: (rule bad) line 1, column 22: "));
  const std::string all = yaml_mistakes(
      "assignment:\n"
      "  rules:\n"
      "    - {name: good, expression: 'true'}\n"
      "    - {name: good, expresion: 'true', namespaces: team-a}\n"
      "    - nothing\n");
  EXPECT_EQ(all,
            "c.yaml:4:7: assignment.rules[1].expresion: there is no such key; did you mean expression? known "
            "here: name, namespaces, expression, message\n"
            "c.yaml:4:7: assignment.rules[1].expression: must not be empty\n"
            "c.yaml:4:7: assignment.rules[1].namespaces: is not a list of names of namespaces, 1000 at most\n"
            "c.yaml:4:7: assignment.rules[1].name: good is there twice\n"
            "c.yaml:5:7: assignment.rules[2]: is not a map with name, namespaces, expression and message");
  EXPECT_EQ(
      yaml_mistakes("assignment: {rules: [{name: a, expression: run.x}]}\n"),
      "c.yaml:1:22: assignment.rules[0].expression: (rule a) line 1, column 1: there is no name \"run\" in a "
      "rule, only agent and task");
  EXPECT_EQ(yaml_mistakes("assignment: {rules: soon}\n"),
            "c.yaml:1:21: assignment.rules: is not a list of rules, 100 at most");
}

TEST(OperatorConfigYaml, RulesThatAreTooDeepOrTooManyAreRefused) {
  EXPECT_EQ(yaml_mistakes("assignment: {rules: [[[[[[a]]]]]]}\n"),
            "c.yaml:1:21: assignment.rules: is too deep or too large; it should be a list of rules");
  std::string bomb = "assignment: {rules: [&a [x,x,x,x,x,x,x,x,x,x]";
  bomb += ", &b [";
  for (int i = 0; i < 100; ++i) bomb += "*a,";
  bomb += "*a], &c [";
  for (int i = 0; i < 100; ++i) bomb += "*b,";
  bomb += "*b]]}\n";
  EXPECT_THAT(yaml_mistakes(bomb), HasSubstr("too deep or too large"));
}

TEST(OperatorConfigYaml, EachKeyIsPrintedWithWhatPeopleNeedToKnow) {
  const std::string printed = print_yaml(OperatorConfig());
  EXPECT_THAT(printed, HasSubstr("\nlog:\n"
                                 "  # Least level that is logged.\n"
                                 "  # One of Debug, Info, Warn, Error, Off. Default: Info. Hot.\n"
                                 "  level: Info\n"));
  EXPECT_THAT(printed, HasSubstr("\n# How long running reconciles may take to end on shutdown.\n"
                                 "# A duration from 0s to 1h. Default: 30s. Restart.\n"
                                 "drain: 30s\n"));
}

// Printed anew with: convoke-operator --print-config > charts/convoke/operator-config.yaml
TEST(OperatorConfigYaml, TheReferenceInTheChartIsWhatTheProgramPrints) {
  std::ifstream file(CONVOKE_CHART "/operator-config.yaml");
  const std::string reference(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(reference, print_yaml(OperatorConfig()));
}

TEST(OperatorConfigYaml, WeightsMayBeAMap) {
  OperatorConfig config;
  ASSERT_TRUE(apply_yaml(config, "fairness:\n  namespaceWeights: {team-a: 3, team-b: 0.5}\n", "c.yaml"));
  EXPECT_EQ(config.fairness.namespace_weights,
            (std::map<std::string, double>{{"team-a", 3}, {"team-b", 0.5}}));
  OperatorConfig again;
  ASSERT_TRUE(apply_yaml(again, print_yaml(config), "c.yaml"));
  EXPECT_EQ(again.fairness.namespace_weights, config.fairness.namespace_weights);
  for (const char* wrong : {"{a: [1]}", "{a: 0}", "{[x]: 1}", "[a]", "{a: 1, a: 2}", "{a: ~}"}) {
    EXPECT_FALSE(apply_yaml(config, std::string("fairness: {namespaceWeights: ") + wrong + "}", "c.yaml"))
        << wrong;
  }
}

TEST(OperatorConfigYaml, WhatIsPrintedReadsAsTheSame) {
  OperatorConfig config;
  config.context = "12: [x]";
  config.events.per_second = 0.1234567890123;
  OperatorConfig again;
  const Status status = apply_yaml(again, print_yaml(config), "c.yaml");
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(again.context, config.context);
  EXPECT_EQ(again.events.per_second, config.events.per_second);
  EXPECT_EQ(print_yaml(again), print_yaml(config));
}

TEST(OperatorConfigYaml, AnyTextIsPrintedSoThatItReadsAsTheSame) {
  for (const char* text :
       {"---", "...",  "# no comment", "a: b", "a #b",        "two\nlines\n", "'",  "\"", "\t",
        " ",   "~",    "null",         ": x",  "&a",          "*a",           "!t", "%",  "{}",
        "[",   "true", "007",          "\x01", "\u00e9\u2026"}) {
    OperatorConfig config;
    config.context = text;
    OperatorConfig again;
    const Status status = apply_yaml(again, print_yaml(config), "c.yaml");
    EXPECT_TRUE(status) << text << ": " << status.error().message;
    EXPECT_EQ(again.context, text);
  }
}

TEST(OperatorConfigFlags, UnknownFlagIsAMistake) {
  EXPECT_THAT(load_mistakes({"--worker-task", "3"}), HasSubstr("--worker-task"));
  EXPECT_THAT(load_mistakes({"--worker-task=3"}), HasSubstr("did you mean --workers-task?"));
  EXPECT_THAT(load_mistakes({"run"}), HasSubstr("run"));
}

TEST(OperatorConfigFlags, WrongValueNamesTheFlag) {
  EXPECT_EQ(load_mistakes({"--workers-task", "many"}), "--workers-task: \"many\" is not a whole number");
}

TEST(OperatorConfigFlags, FlagWithoutItsValueIsAMistake) {
  EXPECT_THAT(load_mistakes({"--workers-task"}), StartsWith("--workers-task: 1 required INT missing"));
  EXPECT_EQ(load_mistakes({"--workers-task="}), "--workers-task: \"\" is not a whole number");
}

TEST(OperatorConfigFlags, FileThatCannotBeReadIsNamed) {
  EXPECT_EQ(load_mistakes({"--config", "/nonexistent/c.yaml"}),
            "/nonexistent/c.yaml: the configuration file cannot be read");
  EXPECT_THAT(load_mistakes({"--config", "/"}), HasSubstr("cannot be read"));
  EXPECT_THAT(load_mistakes({"--config", "/dev/zero"}), HasSubstr("larger than 1048576 bytes"));
}

TEST(OperatorConfigFlags, MistakesOfFileAndFlagsAreReportedTogether) {
  const ConfigFile file("drain: soon\n");
  EXPECT_EQ(load_mistakes({"--config", file.path().c_str(), "--log-level", "loud"}),
            file.path() + ":1:8: drain: \"soon\" is not a duration such as 90s, 5m or 1h30m\n" +
                "--log-level: \"loud\" is none of Debug, Info, Warn, Error, Off");
}

TEST(OperatorConfigFlags, ElectionTimesThatDoNotFitSayWhereEachCameFrom) {
  const ConfigFile file("leaderElection:\n  leaseDuration: 5s\n");
  EXPECT_EQ(
      load_mistakes({"--config", file.path().c_str(), "--leader-election-retry-period", "9s"}),
      "leaderElection.renewDeadline (10s, default) must be shorter than leaderElection.leaseDuration (5s, " +
          file.path() + ":2)\n" +
          "1.2 times leaderElection.retryPeriod (9s, --leader-election-retry-period) must be shorter than "
          "leaderElection.renewDeadline (10s, default)");
  EXPECT_THAT(load_mistakes({"--leader-election-lease-duration", "15500ms"}), HasSubstr("whole seconds"));
  EXPECT_EQ(load_mistakes({"--backoff-max", "10ms", "--backoff-base=1s"}),
            "backoff.max (10ms, --backoff-max) must not be shorter than backoff.base (1s, --backoff-base)");
}

TEST(OperatorConfigFlags, WhoMaySendCloudEventsMustBeSaid) {
  EXPECT_THAT(load_mistakes({"--cloud-events-address", ":8081"}), HasSubstr("needs exactly one of"));
  EXPECT_EQ(load_mistakes({"--cloud-events-address", ":8081", "--cloud-events-token-file=/t"}), "");
  EXPECT_EQ(load_mistakes({"--cloud-events-address", ":8081", "--cloud-events-allow-anonymous=true"}), "");
  EXPECT_THAT(load_mistakes({"--cloud-events-tls-cert-file", "/tls.crt"}), HasSubstr("go together"));
  EXPECT_THAT(load_mistakes({"--cloud-events-address", "8081"}), HasSubstr("no port"));
}

TEST(OperatorConfigFlags, FlagsWinOverTheFileAndTheFileOverDefaults) {
  const ConfigFile file("workers:\n  task: 3\n  agent: 5\nnamespace: team\n");
  const auto loaded = load({"--config", file.path().c_str(), "--workers-task=8",
                            "--leader-election-enabled=false", "--namespace", ""});
  ASSERT_TRUE(loaded) << loaded.error().message;
  const OperatorConfig& config = loaded->config;
  EXPECT_EQ(config.workers.task, 8);
  EXPECT_EQ(config.workers.agent, 5);
  EXPECT_EQ(config.workers.workflow, 2);
  EXPECT_EQ(config.namespace_, "");
  EXPECT_FALSE(config.leader_election.enabled);
  EXPECT_EQ(loaded->print, "");
}

TEST(OperatorConfigFlags, PrintConfigShowsWhatIsInEffect) {
  const ConfigFile file("drain: 5s\n");
  const auto loaded = load({"--config", file.path().c_str(), "--print-config", "--log-format", "text"});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_THAT(loaded->print, HasSubstr("\ndrain: 5s\n"));
  EXPECT_THAT(loaded->print, HasSubstr("\n  format: Text\n"));
}

TEST(OperatorConfigFlags, HelpShowsEveryKeyWithItsFlag) {
  const auto help = load({"--help"});
  ASSERT_TRUE(help);
  for (const char* flag :
       {"--config", "--print-config", "--version", "--kubeconfig", "--leader-election-retry-period",
        "--workers-workflow-run", "--run-status-interval", "(task.runningWriteDelay: "}) {
    EXPECT_THAT(help->print, HasSubstr(flag));
  }
  EXPECT_THAT(load({"--version"})->print, StartsWith("convoke-operator "));
}

}  // namespace
}  // namespace convoke::programs
