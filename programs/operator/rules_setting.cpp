#include "programs/operator/rules_setting.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "controller/base/similar_word.h"
#include "controller/kube/json.h"

namespace convoke::programs {

namespace {

constexpr std::size_t kMaxRuleNameBytes = 63;
constexpr std::size_t kMaxMessageBytes = 256;
constexpr std::size_t kMaxExpressionBytes = 4096;
constexpr std::size_t kMaxNamespaces = 1000;

const std::vector<std::string>& known_keys() {
  static const std::vector<std::string> keys{"name", "namespaces", "expression", "message"};
  return keys;
}

// Reads one rule; what is wrong with it goes to `mistakes`.
class RuleReader {
 public:
  RuleReader(std::string where, std::vector<std::string>& mistakes)
      : where_(std::move(where)), mistakes_(mistakes) {}

  task::AssignmentRule read(const Json& item) {
    task::AssignmentRule rule;
    if (!item.is_object()) {
      mistake("", "is not a map with name, namespaces, expression and message");
      return rule;
    }
    check_keys(item);
    rule.name = text(item, "name", kMaxRuleNameBytes, true);
    rule.message = text(item, "message", kMaxMessageBytes, false);
    rule.expression = text(item, "expression", kMaxExpressionBytes, true);
    rule.namespaces = names(item);
    if (!rule.expression.empty()) {
      if (const auto program = task::compile_rule(rule.expression); !program)
        mistake(".expression", "(rule " + rule.name + ") " + program.error().message);
    }
    return rule;
  }

 private:
  void check_keys(const Json& item) {
    for (const auto& [key, value] : item.items()) {
      if (std::find(known_keys().begin(), known_keys().end(), key) != known_keys().end()) continue;
      const std::string meant = most_similar(key, known_keys());
      mistake("." + key, "there is no such key; " + (meant.empty() ? "" : "did you mean " + meant + "? ") +
                             "known here: name, namespaces, expression, message");
    }
  }

  std::string text(const Json& item, const char* key, std::size_t max_bytes, bool required) {
    const auto found = item.find(key);
    const bool absent = found == item.end() || found->is_null();
    std::string value = !absent && found->is_string() ? found->get<std::string>() : "";
    if (!absent && !found->is_string()) {
      mistake(std::string(".") + key, "is not a text");
    } else if (required && value.empty()) {
      mistake(std::string(".") + key, "must not be empty");
    } else if (value.size() > max_bytes) {
      mistake(std::string(".") + key, "is longer than " + std::to_string(max_bytes) + " bytes");
    }
    return value;
  }

  std::vector<std::string> names(const Json& item) {
    std::vector<std::string> list;
    const auto found = item.find("namespaces");
    if (found == item.end() || found->is_null()) return list;
    const bool good = found->is_array() && found->size() <= kMaxNamespaces &&
                      std::all_of(found->begin(), found->end(), [](const Json& name) {
                        return name.is_string() && !name.get_ref<const std::string&>().empty();
                      });
    if (good) {
      list = found->get<std::vector<std::string>>();
    } else {
      mistake(".namespaces", "is not a list of names of namespaces, 1000 at most");
    }
    return list;
  }

  void mistake(const std::string& key, const std::string& message) {
    mistakes_.push_back(where_ + key + ": " + message);
  }

  const std::string where_;
  std::vector<std::string>& mistakes_;
};

Error all_mistakes(const std::vector<std::string>& mistakes) {
  std::string text;
  for (const auto& line : mistakes) text += (text.empty() ? "" : "\n") + line;
  return Error{ErrorCode::Invalid, text};
}

Result<std::vector<task::AssignmentRule>> parse(const std::string& text) {
  std::vector<task::AssignmentRule> rules;
  if (text.empty()) return rules;
  const auto json = parse_json(text);
  if (!json || !json->is_array() || json->size() > kMaxRules) {
    return Error{ErrorCode::Invalid, "is not a list of rules, " + std::to_string(kMaxRules) + " at most"};
  }
  std::vector<std::string> mistakes;
  for (std::size_t i = 0; i < json->size(); ++i) {
    const std::string where = "[" + std::to_string(i) + "]";
    auto rule = RuleReader(where, mistakes).read((*json)[i]);
    const bool taken = std::any_of(rules.begin(), rules.end(), [&](const task::AssignmentRule& other) {
      return other.name == rule.name;
    });
    if (taken && !rule.name.empty()) mistakes.push_back(where + ".name: " + rule.name + " is there twice");
    rules.push_back(std::move(rule));
  }
  if (!mistakes.empty()) return all_mistakes(mistakes);
  return rules;
}

std::string print(const std::vector<task::AssignmentRule>& rules) {
  Json list = Json::array();
  for (const auto& rule : rules) {
    Json item = {{"name", rule.name}, {"expression", rule.expression}};
    if (!rule.namespaces.empty()) item["namespaces"] = rule.namespaces;
    if (!rule.message.empty()) item["message"] = rule.message;
    list.push_back(std::move(item));
  }
  return dump_json(list);
}

}  // namespace

Setting rules_setting(std::string path, std::string help, std::vector<task::AssignmentRule>& value) {
  auto set = [&value](const std::string& text) -> Status {
    auto rules = parse(text);
    if (!rules) return rules.error();
    value = std::move(*rules);
    return {};
  };
  Setting setting{std::move(path),   "JSON",         std::move(help),
                  "a list of rules", std::move(set), [&value] { return print(value); }};
  setting.is_list = true;
  return setting;
}

}  // namespace convoke::programs
