#include "tests/conformance/cel_cases.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <utility>

#include "controller/kube/base64.h"
#include "reconcilers/expression/cel/cel.h"
#include "reconcilers/expression/cel/number.h"
#include "reconcilers/expression/cel/text.h"
#include "reconcilers/expression/cel/time_value.h"

namespace convoke::conformance {
namespace {

using cel::Kind;
using cel::Value;

std::string text_of(const Json& json) {
  return json.is_string() ? json.get<std::string>() : "";
}

double double_of(const Json& json) {
  const std::string text = text_of(json);
  const double infinity = std::numeric_limits<double>::infinity();
  return text == "NaN"         ? std::numeric_limits<double>::quiet_NaN()
         : text == "Infinity"  ? infinity
         : text == "-Infinity" ? -infinity
                               : json.get<double>();
}

// The static name of a type, which the language itself knows.
Result<Value> type_value(const std::string& name) {
  auto program = cel::Program::compile(name);
  return program ? (*program)->evaluate(cel::Variables()) : Result<Value>(program.error());
}

Result<Value> read_value(const Json& typed);

Result<Value> read_list(const Json& items) {
  std::vector<Value> values;
  for (const auto& item : items) {
    auto value = read_value(item);
    if (!value) {
      return value;
    }
    values.push_back(std::move(*value));
  }
  return Value::from_list(std::move(values));
}

Result<Value> read_map(const Json& pairs) {
  std::vector<std::pair<Value, Value>> entries;
  for (const auto& pair : pairs) {
    auto key = read_value(pair.at(0));
    auto value = read_value(pair.at(1));
    if (!key || !value) {
      return key ? value : key;
    }
    entries.emplace_back(std::move(*key), std::move(*value));
  }
  return Value::from_map(std::move(entries));
}

// {"int": "42"}
Result<Value> read_value(const Json& typed) {
  const std::string& type = typed.begin().key();
  const Json& json = typed.begin().value();
  const std::string text = text_of(json);
  if (type == "null") return Value();
  if (type == "bool") return Value::from_bool(json.get<bool>());
  if (type == "int") return Value::from_int(cel::parse_int(text).value());
  if (type == "uint") return Value::from_uint(cel::parse_uint(text).value());
  if (type == "double") return Value::from_double(double_of(json));
  if (type == "string") return Value::from_string(text);
  if (type == "bytes") return Value::from_bytes(kube::base64_decode(text).value());
  if (type == "list") return read_list(json);
  if (type == "map") return read_map(json);
  if (type == "type") return type_value(text);
  if (type == "duration") return Value::from_duration(cel::parse_signed_duration(text).value());
  if (type == "timestamp") return Value::from_timestamp(cel::parse_timestamp(text).value());
  return Error{ErrorCode::Invalid, "there is no type \"" + type + "\""};
}

bool same(const Value& expected, const Value& actual);

bool same_lists(const Value& expected, const Value& actual) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!same(expected.at(i), actual.at(i))) {
      return false;
    }
  }
  return true;
}

// The kinds must be the same too: 1 is not 1u here.
bool same(const Value& expected, const Value& actual) {
  if (expected.kind() != actual.kind()) {
    return false;
  }
  switch (expected.kind()) {
    case Kind::Bool:
      return expected.as_bool() == actual.as_bool();
    case Kind::Int:
      return expected.as_int() == actual.as_int();
    case Kind::Uint:
      return expected.as_uint() == actual.as_uint();
    case Kind::Double:
      return expected.as_double() == actual.as_double() ||
             (std::isnan(expected.as_double()) && std::isnan(actual.as_double()));
    case Kind::String:
    case Kind::Bytes:
      return expected.as_text() == actual.as_text();
    case Kind::List:
      return expected.size() == actual.size() && same_lists(expected, actual);
    case Kind::Map: {
      bool all = expected.size() == actual.size();
      expected.each_entry([&](const Value& key, const Value& value) {
        const auto other = actual.find(key);
        all = all && other && same(value, *other);
        return all;
      });
      return all;
    }
    case Kind::Duration:
      return expected.as_duration() == actual.as_duration();
    case Kind::Timestamp:
      return expected.as_timestamp() == actual.as_timestamp();
    case Kind::Type:
      return expected.as_type() == actual.as_type();
    default:
      return expected.is(Kind::Null);
  }
}

// What the expression gives, or what is wrong with it.
Result<Value> evaluate(const Json& test, cel::Variables& variables, cel::ProgramPtr& program) {
  const Json bindings = test.value("bindings", Json::object());
  for (const auto& [name, typed] : bindings.items()) {
    auto value = read_value(typed);
    if (!value) {
      return value;
    }
    variables.set(name, std::move(*value));
  }
  cel::Options options;
  options.qualified_names = true;
  options.container = test.value("container", "");
  options.check_functions = !test.value("disable_check", false);
  auto compiled = cel::Program::compile(test.at("expr").get<std::string>(), options);
  if (!compiled) {
    return compiled.error();
  }
  program = *compiled;
  return program->evaluate(variables);
}

// The expected text with \u0100, \U00010000 and \? undone: see Outcome::is_repaired.
std::string repaired(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const char letter = text[i] == '\\' && i + 1 < text.size() ? text[i + 1] : '\0';
    const std::size_t digits = letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    const auto code =
        digits == 0 ? std::nullopt : cel::parse_uint(text.substr(std::min(i + 2, text.size()), digits), 16);
    if (code) {
      cel::append_code_point(result, static_cast<char32_t>(*code));
      i += 2 + digits;
    } else if (letter == '?') {
      result += '?';
      i += 2;
    } else {
      result += text[i++];
    }
  }
  return result;
}

bool same_when_repaired(const Value& expected, const Value& actual) {
  const bool is_text = expected.is(Kind::String) || expected.is(Kind::Bytes);
  return is_text && expected.kind() == actual.kind() && repaired(expected.as_text()) == actual.as_text();
}

std::string problem_of(const Json& test, bool& is_repaired) {
  cel::Variables variables;
  cel::ProgramPtr program;
  const auto actual = evaluate(test, variables, program);
  if (!test.contains("value")) {
    return actual ? "an error was expected, and it gives " + cel::describe(*actual) : "";
  }
  if (!actual) {
    return actual.error().message;
  }
  const auto expected = read_value(test.at("value"));
  if (!expected) {
    return expected.error().message;
  }
  const bool is_same = same(*expected, *actual);
  is_repaired = !is_same && same_when_repaired(*expected, *actual);
  if (is_same || is_repaired) {
    return "";
  }
  return "expected " + std::string(expected->type_name()) + " " + test.at("value").dump() +
         ", and it gives " + std::string(actual->type_name()) + " " + cel::describe(*actual);
}

}  // namespace

Result<std::vector<Outcome>> run_file(const std::string& path) {
  std::ifstream stream(path);
  if (!stream) {
    return Error{ErrorCode::NotFound, "cannot read " + path};
  }
  std::vector<Outcome> outcomes;
  std::string line;
  while (std::getline(stream, line)) {
    const auto test = parse_json(line);
    if (!test || !test->is_object() || !test->contains("expr")) {
      return Error{ErrorCode::Invalid,
                   path + ", line " + std::to_string(outcomes.size() + 1) + " is no case"};
    }
    Outcome outcome{test->value("file", ""),
                    test->value("section", ""),
                    test->value("name", ""),
                    test->at("expr").get<std::string>(),
                    {}};
    outcome.problem = problem_of(*test, outcome.is_repaired);
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

std::string find_cases(const std::string& checkout) {
  const char* chosen = std::getenv("CONVOKE_CEL_CONFORMANCE");
  const std::filesystem::path folder = chosen != nullptr
                                           ? std::filesystem::path(chosen)
                                           : std::filesystem::path(checkout) / "../shared/cel-conformance";
  std::error_code failed;
  return std::filesystem::is_regular_file(folder / "tests.jsonl", failed) ? (folder / "tests.jsonl").string()
                                                                          : "";
}

}  // namespace convoke::conformance
