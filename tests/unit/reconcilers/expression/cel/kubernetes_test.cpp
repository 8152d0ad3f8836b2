// The functions that Kubernetes adds to the language, beyond those that have conformance cases.
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/expression/cel/cel.h"

namespace convoke::cel {
namespace {

using Table = std::vector<std::pair<std::string, Json>>;

void expect_values(const Table& table) {
  for (const auto& [source, expected] : table) {
    const auto program = Program::compile(source);
    ASSERT_TRUE(program) << source << ": " << program.error().message;
    const auto result = (*program)->evaluate_json(Variables());
    ASSERT_TRUE(result) << source << ": " << result.error().message;
    EXPECT_EQ(*result, expected) << source;
  }
}

void expect_failures(const std::vector<std::string>& sources) {
  for (const auto& source : sources) {
    const auto program = Program::compile(source);
    ASSERT_TRUE(program) << source << ": " << program.error().message;
    const auto result = (*program)->evaluate_json(Variables());
    ASSERT_FALSE(result) << source << ": " << result->dump();
    EXPECT_EQ(result.error().reason, kExpressionFailed) << source;
  }
}

TEST(CelQuantity, IsExactAndKnowsBothKindsOfSuffixes) {
  expect_values({
      {"quantity('1.5Gi').asInteger()", 1610612736},
      {"string(quantity('100m'))", "0.1"},
      {"quantity('0.1').add(quantity('0.2')) == quantity('0.3')", true},
      {"quantity('1Ki').isGreaterThan(quantity('1k'))", true},
      {"quantity('-1').isLessThan(quantity('0'))", true},
      {"quantity('2e3').compareTo(quantity('2k'))", 0},
      {"quantity('1').sub(3).sign()", -1},
      {"quantity('1500m').isInteger()", false},
      {"quantity('1500m').asApproximateFloat()", 1.5},
      {"string(quantity('-1500m'))", "-1.5"},
      {"string(quantity('1n').add(quantity('0.1n')))", "0.000000002"},
      {"isQuantity('1.5.0') || isQuantity('1 Gi') || isQuantity('') || isQuantity('k') || isQuantity('1ki')",
       false},
      {"isQuantity('9223372036854775807')", true},
      {"isQuantity('9223372036854775808') || isQuantity('8Ei') || isQuantity('1e30')", false},
      {"type(quantity('1')) == kubernetes.Quantity", true},
  });
  expect_failures({"quantity('x')", "quantity('1500m').asInteger()", "quantity('7Ei').add(quantity('7Ei'))",
                   "quantity('1').isLessThan(semver('1.0.0'))", "quantity('1') < quantity('2')"});
}

TEST(CelSemver, OrdersVersionsAsTheirSpecificationDoes) {
  expect_values({
      {"['1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0-beta', '1.0.0-beta.2', '1.0.0-beta.11', "
       "'1.0.0-rc.1',"
       " '1.0.0', '1.0.1', '1.1.0', '2.0.0'].map(v, semver(v)).transformList(i, v, v).all(i, v, i == 0 ||"
       " v.isGreaterThan(semver('1.0.0-alpha')))",
       true},
      {"semver('1.0.0-beta.11').isGreaterThan(semver('1.0.0-beta.2'))", true},
      {"semver('1.0.0-rc.1').isLessThan(semver('1.0.0'))", true},
      {"semver('1.0.0-1').isLessThan(semver('1.0.0-a'))", true},
      {"semver('1.2.3+a') == semver('1.2.3+b')", true},
      {"string(semver('1.2.3-rc.1+b7'))", "1.2.3-rc.1+b7"},
      {"[semver('1.2.3').major(), semver('1.2.3').minor(), semver('1.2.3').patch()]", {1, 2, 3}},
      {"isSemver('v1.0') || isSemver('01.0.0') || isSemver('1.0') || isSemver('1.0.0-') || "
       "isSemver('1.0.0-01')",
       false},
      {"isSemver('v1.0', true)", true},
      {"string(semver('v01.2', true))", "1.2.0"},
  });
  expect_failures({"semver('1.2')", "semver('1.2.99999999999999999999')"});
}

TEST(CelUrl, TakesUrlsApart) {
  expect_values({
      {"url('https://user:pw@example.com:80/a b/c?x=1&x=2&y=a%20b+c#f').getHost()", "example.com:80"},
      {"url('https://example.com:80/a b').getEscapedPath()", "/a%20b"},
      {"url('https://example.com/?x=1&x=2&y=a%20b+c').getQuery()",
       {{"x", {"1", "2"}}, {"y", Json::array({"a b c"})}}},
      {"url('HTTPS://[::1]:8080/').getHostname() + url('HTTPS://[::1]:8080/').getPort()", "::18080"},
      {"url('HTTPS://[::1]:8080/').getScheme()", "https"},
      {"url('/path').getHost() + url('/path').getEscapedPath()", "/path"},
      {"isURL('example.com/x') || isURL('../x') || isURL('') || isURL('http://a b/') || isURL('http://a:b/') "
       "|| "
       "isURL('http://a/%zz')",
       false},
  });
  expect_failures({"url('no url')"});
}

TEST(CelFormat, ChecksNamedFormats) {
  expect_values({
      {"format.dns1123Label().validate('my-name').hasValue()", false},
      {"format.dns1123Label().validate('My_Name').value().size()", 1},
      {"format.named('uuid').value().validate('550e8400-e29b-41d4-a716-446655440000').hasValue()", false},
      {"format.named('nothing').hasValue()", false},
      {"format.date().validate('2026-02-30').hasValue()", true},
      {"format.date().validate('2026-02-28').hasValue()", false},
      {"format.qualifiedName().validate('convoke.dev/name').hasValue()", false},
      {"format.labelValue().validate('').hasValue()", false},
      {"format.byte().validate('aGk=').hasValue() || "
       "format.datetime().validate('2026-01-31T12:00:05Z').hasValue()",
       false},
      {"format.dns1035Label().validate('1a').hasValue() && format.uri().validate('x y').hasValue()", true},
  });
}

TEST(CelLists, HaveTheirFunctions) {
  expect_values({
      {"[3, 1, 2].sort().isSorted() && ![3, 1].isSorted() && [1, 1.5, 2u].isSorted()", true},
      {"[1, 2, 3].sum() + [4].max() + [7, 5].min()", 15},
      {"[duration('1s'), duration('2s')].sum() == duration('3s')", true},
      {"[].sum()", 0},
      {"['a', 'b', 'a'].indexOf('a') + ['a', 'b', 'a'].lastIndexOf('a') + ['a'].indexOf('x')", 1},
      {"[1, 2, 1.0, 2u, 'a'].distinct()", {1, 2, "a"}},
      {"[[1, [2]], 3].flatten()", Json::parse("[1, [2], 3]")},
      {"[[1, [2]], 3].flatten(2)", {1, 2, 3}},
      {"lists.range(5).slice(1, 3)", {1, 2}},
      {"[1, 2, 3].reverse()", {3, 2, 1}},
      {"sets.contains([1, 2, 3], [3, 1.0]) && !sets.contains([1], [2]) && sets.contains([], [])", true},
      {"sets.equivalent([1, 2, 2], [2, 1]) && sets.intersects([1, 2], [2u, 5]) && !sets.intersects([], [1])",
       true},
      {"'a1b22'.find('[0-9]+') + 'a1b22'.findAll('[0-9]+').join('-') + 'xyz'.find('q')", "11-22"},
      {"'abc'.findAll('')", {"", "", "", ""}},
      {"'a1b22c3'.findAll('[0-9]+', 2)", {"1", "22"}},
      {"optional.unwrap([optional.of(1), optional.none(), optional.of(2)])", {1, 2}},
      {"[1, 2].transformMapEntry(i, v, {string(v): i})", {{"1", 0}, {"2", 1}}},
  });
  expect_failures({"[].max()", "[1, 'a'].sort()", "[1, 2].slice(1, 3)", "[1, 'a'].sum()",
                   "[1, 2].transformMapEntry(i, v, {'a': i})"});
}

}  // namespace
}  // namespace convoke::cel
