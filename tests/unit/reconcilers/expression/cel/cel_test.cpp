#include "reconcilers/expression/cel/cel.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/clock.h"

namespace convoke::cel {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const Json& agent() {
  static const Json agent = Json::parse(R"json({
    "metadata": {"name": "builder-1", "labels": {"zone": "a", "convoke.dev/team": "blue"}},
    "spec": {"capacity": 10, "capabilities": ["compile", "gpu"], "cost": {"perMinute": "0.01"}, "ratio": 0.5,
             "big": 18446744073709551615, "nothing": null},
    "status": {"ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}]}
  })json");
  return agent;
}

Result<Json> give(const std::string& source, const Limits& limits = {}) {
  Variables variables;
  variables.set("agent", agent());
  auto program = Program::compile(source);
  return program ? (*program)->evaluate_json(variables, limits) : Result<Json>(program.error());
}

std::string error_of(const std::string& source, const Limits& limits = {}) {
  const auto result = give(source, limits);
  return result ? "no error, but " + result->dump() : result.error().message;
}

std::string reason_of(const std::string& source, const Limits& limits = {}) {
  const auto result = give(source, limits);
  return result ? "" : result.error().reason;
}

std::string repeated(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) {
    result += text;
  }
  return result;
}

struct Refusal {
  std::string source;
  std::string message;
};

TEST(Cel, RefusesWhatDoesNotCompileAndShowsWhere) {
  const std::vector<Refusal> table = {
      {"", "line 1, column 1: expected a value, found the end"},
      {"1 +", "line 1, column 4: expected a value, found the end"},
      {"(1", "expected \")\""},
      {"[1, 2", "expected \"]\""},
      {"{'a' 1}", "expected \":\""},
      {"a b", "line 1, column 3: expected the end, or an operator, found \"b\""},
      {"'open", "line 1, column 1: the text that starts here is not closed with '"},
      {"'a\nb'", "is not closed"},
      {"'\\q'", "there is no such escape"},
      {"'\\ud800'", "there is no such escape"},
      {"b'\\u0041'", "there is no such escape"},
      {"\"\xff\"", "not UTF-8"},
      {"1 ~ 2", "no expression has \"~\" here"},
      {"a = 1", "no expression has \"=\" here"},
      {"9223372036854775808", "an integer is between"},
      {"18446744073709551616u", "at most 18446744073709551615"},
      {"1e999", "beyond the range of a double"},
      {"12ab", "a number ends before \"a\""},
      {"while", "\"while\" is a reserved word"},
      {"a.in", "expected the name of a field"},
      {"Foo{a: 1}", "messages are not supported"},
      {"has(a)", "has() asks for a field"},
      {"[1].all(1, true)", "takes a name for its variable"},
      {"[1].all(x, x, true)", "there are two variables \"x\""},
      {"nope(1)", "there is no function nope()"},
      {"'a'.size(1)", "size() does not take 1 arguments"},
      {"startsWith('a', 'b')", "write value.startsWith(...)"},
      {"'1'.int()", "write int(value, ...)"},
      {"'a'.matches('(')", "line 1, column 13: not a regular expression: missing )"},
      {"true ? 1", "expected \":\""},
      {"f(1,)", "expected an argument"},
  };
  for (const auto& row : table) {
    EXPECT_THAT(error_of(row.source), HasSubstr(row.message)) << row.source;
    EXPECT_EQ(reason_of(row.source), kInvalidExpression) << row.source;
  }
}

TEST(Cel, PutsACaretBelowThePlaceAlsoBehindWideCharactersAndOnLaterLines) {
  EXPECT_THAT(error_of("true &&\n  'é' == agent.nam"),
              HasSubstr("line 2, column 16: agent has no \"nam\"; there are metadata, spec, status\n"
                        " |   'é' == agent.nam\n"
                        " |                ^"));
  const std::string message = error_of(repeated("true && ", 500) + "nope" + repeated(" && true", 500));
  EXPECT_THAT(message, HasSubstr("line 1, column 4001: there is no name \"nope\" here"));
  EXPECT_LT(message.size(), 400u);
}

TEST(Cel, SaysWhatIsThereInsteadOfAnUnknownName) {
  const std::vector<Refusal> table = {
      {"agnet.spec", "there is no name \"agnet\" here"},
      {"agent.spec.capacty > 4", "agent.spec has no \"capacty\"; there are big, capabilities, capacity"},
      {"agent.spec['x-y']", "agent.spec has no \"x-y\""},
      {"agent.spec.capabilities[7]", "agent.spec.capabilities is a list of 2 and has no element 7"},
      {"agent.spec.capabilities[-1]", "has no element -1"},
      {"agent.spec.capabilities['gpu']", "is a list of 2 and has no \"gpu\""},
      {"agent.spec.capacity.x", "agent.spec.capacity is a int and has no \"x\""},
      {"agent.spec.nothing.x", "agent.spec.nothing is a null_type and has no \"x\""},
  };
  for (const auto& row : table) {
    EXPECT_THAT(error_of(row.source), HasSubstr(row.message)) << row.source;
    EXPECT_EQ(reason_of(row.source), kUnknownName) << row.source;
  }
}

TEST(Cel, RefusesWrongTypesAndValuesOutOfRange) {
  const std::vector<Refusal> table = {
      {"agent.spec.ratio * 2", "no operator \"*\" for double and int; convert one of them"},
      {"'a' + 1", "no operator \"+\" for string and int"},
      {"1 / 0", "division by zero"},
      {"9223372036854775807 + 1", "the result of \"+\" is out of range"},
      {"int('9223372036854775808')", "is not an int"},
      {"agent.spec.capacity ? 1 : 2", "the condition before \"?\" needs a bool, got int"},
      {"[1, 2].all(x, x)", "the condition of a macro is a bool, not int"},
      {"5.map(x, x)", "map() goes through lists and maps, not through a int"},
      {"[1].min() < 'a'", "no operator \"<\" for int and string"},
      {"[1, 'a'].max()", "no order between int and string"},
      {"'abc'.substring(2, 1)", "the end of a substring is before its start"},
      {"timestamp('2026-13-01T00:00:00Z')", "is not an RFC 3339 time"},
      {"timestamp(0).getHours('Mars/Olympus')", "there is no such time zone"},
      {"timestamp(0).getHours('../../etc/passwd')", "there is no such time zone"},
      {"optional.none().value()", "orValue()"},
      {"{'a': 1, 'a': 2}", "a key is there twice"},
      {"[agent.spec.ratio].map(x, 'x'.matches('(' + string(x)))", "is no regular expression"},
  };
  for (const auto& row : table) {
    EXPECT_THAT(error_of(row.source), HasSubstr(row.message)) << row.source;
    EXPECT_EQ(reason_of(row.source), kExpressionFailed) << row.source;
  }
}

TEST(Cel, RepeatsNoValueInAnErrorBecauseItMayBeASecret) {
  const Json task = {{"parameters", {{"token", "canary-1234"}}}};
  Variables variables;
  variables.set("task", task);
  for (const char* source :
       {"int(task.parameters.token)", "timestamp(task.parameters.token)", "duration(task.parameters.token)",
        "task[task.parameters.token]", "{'a': 1}[task.parameters.token]",
        "timestamp(0).getHours(task.parameters.token)", "'a'.matches('(' + task.parameters.token)",
        "task.parameters.token > 1", "-task.parameters.token", "ip(task.parameters.token)",
        "task.parameters.token.format([1])+1", "quantity(task.parameters.token)",
        "semver(task.parameters.token)", "url(task.parameters.token)", "task.parameters.token ? 1 : 2",
        "bool(task.parameters.token)", "base64.decode('*' + task.parameters.token)",
        "task.parameters.token"}) {
    const auto program = Program::compile(source);
    ASSERT_TRUE(program) << source << ": " << program.error().message;
    const auto result = (*program)->evaluate_bool(variables);
    ASSERT_FALSE(result) << source;
    EXPECT_THAT(result.error().message, Not(HasSubstr("canary"))) << source;
  }
}

TEST(Cel, LogicAbsorbsErrorsWhereTheOtherSideDecides) {
  EXPECT_EQ(*give("nope && false"), Json(false));
  EXPECT_EQ(*give("false && nope"), Json(false));
  EXPECT_EQ(*give("1/0 > 0 || true"), Json(true));
  EXPECT_EQ(*give("[1, 0].exists(x, 1/x == 1)"), Json(true));
  EXPECT_EQ(*give("[0, 2].all(x, 4/x == 1)"), Json(false));
  EXPECT_EQ(*give("true || 'not a bool'"), Json(true));
  EXPECT_THAT(error_of("nope && true"), HasSubstr("there is no name \"nope\""));
  EXPECT_THAT(error_of("1 || false"), HasSubstr("\"||\" needs a bool, got int"));
  EXPECT_THAT(error_of("[0, 1].all(x, 1/x == 1)"), HasSubstr("division by zero"));
}

TEST(Cel, ReadsJson) {
  const std::vector<std::pair<std::string, Json>> table = {
      {"agent.spec.capacity > 4 && 'gpu' in agent.spec.capabilities", true},
      {"agent.metadata.labels['convoke.dev/team'] == 'blue'", true},
      {"agent.metadata.labels.`convoke.dev/team`", "blue"},
      {"has(agent.spec.cost) && !has(agent.spec.price)", true},
      {"agent.status.ports.filter(p, p.port > 100).map(p, p.name)", Json::array({"https"})},
      {"agent.status.ports.map(p, p.name == 'http', p.port)", Json::array({80})},
      {"agent.metadata.labels.all(k, v, size(k) > size(v))", true},
      {"agent.metadata.labels.transformMap(k, v, k + v)",
       {{"zone", "zonea"}, {"convoke.dev/team", "convoke.dev/teamblue"}}},
      {"agent.spec.?price.orValue('free')", "free"},
      {"agent.spec.?cost.perMinute.orValue('free')", "0.01"},
      {"agent.spec.capabilities[?9].hasValue()", false},
      {"double(agent.spec.capacity) * agent.spec.ratio", 5.0},
      {"type(agent.spec.big) == double", true},
      {"agent.spec.nothing == null", true},
      {"agent.spec", agent()["spec"]},
      {"{1: 'a', true: 2u, 'k': [null, 1.5]}", {{"1", "a"}, {"true", 2}, {"k", {nullptr, 1.5}}}},
      {"[b'hi', duration('90m'), timestamp('2026-01-31T12:00:05.5Z'), int]",
       {"aGk=", "5400s", "2026-01-31T12:00:05.5Z", "int"}},
      {"timestamp('2026-07-01T00:30:00Z').getHours('Europe/Berlin')", 2},
      {"(timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z')).getHours()", 24},
      {"duration('-0.5s') + duration('0.2s') == duration('-300ms')", true},
      {"string(duration('-1.5s'))", "-1.5s"},
      {"'%s: %.1f%%'.format(['load', 12.34])", "load: 12.3%"},
      {"cel.bind(x, agent.spec.capacity, x * x)", 100},
      {"r'\\d' + '\\x41' // a comment\n + 'b'", "\\dAb"},
  };
  for (const auto& [source, expected] : table) {
    const auto result = give(source);
    ASSERT_TRUE(result) << source << ": " << result.error().message;
    EXPECT_EQ(*result, expected) << source;
  }
}

TEST(Cel, RefusesResultsThatJsonCannotHold) {
  EXPECT_THAT(error_of("1.0 / 0.0"), HasSubstr("cannot be written as JSON"));
  EXPECT_THAT(error_of("{1: 1, '1': 2}"), HasSubstr("two keys that are the same text"));
  EXPECT_EQ(*give("optional.none()"), Json());
  const auto program = Program::compile("'yes'");
  const auto result = (*program)->evaluate_bool(Variables());
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("is to be true or false, and gives a string"));
}

TEST(Cel, BoundsTheLengthAndTheDepthOfTheSource) {
  EXPECT_THAT(error_of(std::string(kMaxSourceBytes + 1, ' ')), HasSubstr("at most 16384 bytes"));
  for (const std::string& source : std::vector<std::string>{
           repeated("(", 8000),
           repeated("(", 300) + "1" + repeated(")", 300),
           repeated("[", 8000),
           repeated("{1:", 5000),
           repeated("!", 8000) + "true",
           repeated("-", 8000) + "x",
           "a" + repeated(".b", 8000),
           "a" + repeated("[0]", 5000),
           repeated("1+", 8000) + "1",
           repeated("true?1:", 2000) + "1",
           "[1]" + repeated(".map(x, x)", 1500),
           repeated("[1].map(x, ", 1000) + "x" + repeated(")", 1000),
           repeated("size(", 2000) + "1" + repeated(")", 2000),
       }) {
    EXPECT_THAT(error_of(source), HasSubstr("nested deeper than 250 levels")) << source.substr(0, 20);
  }
  EXPECT_EQ(*give(repeated("true && ", 2000) + "true"), Json(true));
  EXPECT_EQ(*give(repeated("(", 200) + "1" + repeated(")", 200)), Json(1));
}

TEST(Cel, BoundsTheDepthOfValues) {
  // Six values, each 100 levels around the one before.
  std::string nested = "a5";
  for (int i = 5; i >= 0; --i) {
    nested = "cel.bind(a" + std::to_string(i) + ", " + repeated("[", 100) +
             (i == 0 ? "1" : "a" + std::to_string(i - 1)) + repeated("]", 100) + ", " + nested + ")";
  }
  EXPECT_THAT(error_of(nested), HasSubstr("nests too deeply"));
}

TEST(Cel, StopsExpressionsThatCostTooMuch) {
  const std::string thousand = "lists.range(1000)";
  for (const std::string& source : std::vector<std::string>{
           "[1,2,3,4,5,6,7,8,9,0].map(a, [1,2,3,4,5,6,7,8,9,0].map(b, " + thousand + ".map(c, a*b*c)))",
           thousand + ".all(a, " + thousand + ".all(b, true))",
           thousand + ".all(a, " + thousand + ".exists(b, b == -1) || true)",
           thousand + ".map(a, " + thousand + ").flatten()",
           "lists.range(1000000000)",
           "cel.bind(a, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', " + repeated("cel.bind(a, a + a, ", 20) + "a" +
               repeated(")", 20) + ")",
           "cel.bind(a, [1,2,3,4,5,6,7,8], " + repeated("cel.bind(a, a + a, ", 20) + "size(a)" +
               repeated(")", 20) + ")",
           "cel.bind(a, [1], " + repeated("cel.bind(a, [a, a], ", 60) + "a == a" + repeated(")", 60) + ")",
           thousand + ".all(a, 'x'.matches('((a{1,50}){1,10})' + string(a)) || true)",
           thousand + ".map(a, string(a)).join('" + std::string(3000, 'x') + "')",
           thousand + ".map(a, '" + std::string(3000, 'x') + "'.replace('x', 'yy'))",
           thousand + ".map(a, '" + std::string(3000, 'x') + "'.split(''))",
           thousand + ".map(a, '%s%s'.format(['" + std::string(3000, 'x') + "', " + thousand + "]))",
       }) {
    EXPECT_EQ(reason_of(source), kTooExpensive) << source.substr(0, 80);
    EXPECT_THAT(error_of(source), HasSubstr("it was stopped")) << source.substr(0, 80);
  }
  // A small value that holds another one many times.
  const std::string doubled =
      "cel.bind(a, [agent], " + repeated("cel.bind(a, [a, a], ", 40) + "a" + repeated(")", 41);
  EXPECT_EQ(reason_of(doubled), kResultTooLarge);
  EXPECT_EQ(reason_of("1 + 2 + 3", {.steps = 3}), kTooExpensive);
  EXPECT_EQ(*give("1 + 2 + 3", {.steps = 5}), Json(6));
  EXPECT_EQ(reason_of("'abc' + 'def'", {.bytes = 5}), kTooExpensive);
  EXPECT_EQ(*give("'abc' + 'def'", {.bytes = 7}), Json("abcdef"));
}

TEST(Cel, ListsTheVariablesThatAnExpressionUses) {
  const auto program = Program::compile(
      "params.items.map(x, x.y + steps['unit-test'].outputs[0].size() + params[x]) == .run.name"
      " || has(event.a.b) || int == type(1) || steps.build.?outputs.image == z[params.k].w");
  ASSERT_TRUE(program) << program.error().message;
  std::vector<std::vector<std::string>> paths;
  for (const auto& reference : (*program)->references()) {
    paths.push_back(reference.path);
  }
  EXPECT_THAT(paths,
              ElementsAre(ElementsAre("params", "items"), ElementsAre("steps", "unit-test", "outputs", "0"),
                          ElementsAre("params"), ElementsAre("run", "name"), ElementsAre("event", "a", "b"),
                          ElementsAre("steps", "build", "outputs", "image"), ElementsAre("z"),
                          ElementsAre("params", "k")));
  EXPECT_EQ((*program)->references()[0].offset, 0u);
}

TEST(Cel, MacroVariablesHideOthersAndEndWithTheirMacro) {
  EXPECT_EQ(*give("[1, 2].map(agent, agent * 2)"), Json::array({2, 4}));
  EXPECT_EQ(*give("[1].map(agent, .agent.spec.capacity)"), Json::array({10}));
  EXPECT_EQ(*give("[[1, 2], [3]].map(x, x.map(x, x + 1))"), Json::parse("[[2, 3], [4]]"));
  EXPECT_THAT(error_of("[1].map(x, x) + [x]"), HasSubstr("there is no name \"x\" here"));
}

TEST(Cel, AsksForAVariableOnlyWhenItIsUsed) {
  class Counting final : public Activation {
   public:
    std::optional<Value> find(std::string_view name) const override {
      ++asked;
      return name == "yes" ? std::optional(Value::from_bool(true)) : std::nullopt;
    }
    mutable int asked = 0;
  };
  const Counting variables;
  EXPECT_TRUE(*(*Program::compile("yes || a || b || c"))->evaluate_bool(variables));
  EXPECT_EQ(variables.asked, 1);
}

TEST(Cel, OneProgramRunsOnManyThreads) {
  const auto program =
      *Program::compile("agent.status.ports.exists(p, p.name.matches('^https?$') && p.port == 443)");
  Variables variables;
  variables.set("agent", agent());
  SystemClock clock;
  std::vector<std::unique_ptr<Thread>> threads;
  for (int i = 0; i < 4; ++i) {
    threads.push_back(clock.start_thread("evaluate", [&] {
      for (int round = 0; round < 200; ++round) {
        EXPECT_TRUE(*program->evaluate_bool(variables));
      }
    }));
  }
  for (auto& thread : threads) {
    thread->join();
  }
}

}  // namespace
}  // namespace convoke::cel
