#include "tests/fakes/api_selector.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

namespace convoke::fakes {
namespace {

using Operator = Requirement::Operator;

std::string trim(std::string_view text) {
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) {
    return {};
  }
  return std::string(text.substr(begin, text.find_last_not_of(' ') - begin + 1));
}

// Splits at commas that stand outside of parentheses.
std::vector<std::string> split_terms(std::string_view text) {
  std::vector<std::string> terms;
  std::string term;
  int depth = 0;
  for (const char c : text) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c == ',' && depth == 0) {
      terms.push_back(trim(term));
      term.clear();
    } else {
      term += c;
    }
  }
  terms.push_back(trim(term));
  return terms;
}

std::optional<Requirement> parse_set(const std::string& term, std::string_view word, Operator op) {
  const auto at = term.find(word);
  const auto open = term.find('(');
  if (at == std::string::npos || open == std::string::npos || at > open || term.back() != ')') {
    return std::nullopt;
  }
  Requirement requirement{trim(term.substr(0, at)), op};
  requirement.values = split_terms(std::string_view(term).substr(open + 1, term.size() - open - 2));
  return requirement;
}

std::optional<Requirement> parse_comparison(const std::string& term) {
  for (const auto& [sign, op] : {std::pair<std::string_view, Operator>{"!=", Operator::NotIn},
                                 {"==", Operator::In},
                                 {"=", Operator::In}}) {
    if (const auto at = term.find(sign); at != std::string::npos) {
      return Requirement{trim(term.substr(0, at)), op, {trim(term.substr(at + sign.size()))}};
    }
  }
  return std::nullopt;
}

std::optional<Requirement> parse_label_term(const std::string& term) {
  if (auto requirement = parse_set(term, " notin ", Operator::NotIn)) {
    return requirement;
  }
  if (auto requirement = parse_set(term, " in ", Operator::In)) {
    return requirement;
  }
  if (auto requirement = parse_comparison(term)) {
    return requirement;
  }
  const bool negated = term.rfind('!', 0) == 0;
  return Requirement{trim(negated ? term.substr(1) : term),
                     negated ? Operator::DoesNotExist : Operator::Exists};
}

bool holds(const Requirement& requirement, const std::optional<std::string>& value) {
  const bool is_listed = value && std::ranges::find(requirement.values, *value) != requirement.values.end();
  switch (requirement.op) {
    case Operator::Exists:
      return value.has_value();
    case Operator::DoesNotExist:
      return !value.has_value();
    case Operator::In:
      return is_listed;
    case Operator::NotIn:
      return !is_listed;
  }
  return false;
}

const Json* find_path(const Json& object, std::string_view path) {
  const Json* node = &object;
  while (!path.empty()) {
    const auto dot = path.find('.');
    const std::string step(path.substr(0, dot));
    if (!node->is_object() || !node->contains(step)) {
      return nullptr;
    }
    node = &(*node)[step];
    path.remove_prefix(dot == std::string_view::npos ? path.size() : dot + 1);
  }
  return node;
}

// An absent field selects as the empty string.
std::string field_value(const Json& object, const std::string& path) {
  const Json* value = find_path(object, path);
  if (value == nullptr || value->is_null()) {
    return {};
  }
  return value->is_string() ? value->get<std::string>() : value->dump();
}

std::optional<std::string> label_value(const Json& object, const std::string& key) {
  const Json* labels = find_path(object, "metadata.labels");
  if (labels == nullptr || !labels->is_object() || !labels->contains(key)) {
    return std::nullopt;
  }
  const Json& value = (*labels)[key];
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

bool Selector::matches(const Json& object) const {
  if (!namespace_.empty() && field_value(object, "metadata.namespace") != namespace_) {
    return false;
  }
  return std::ranges::all_of(labels, [&](const auto& r) { return holds(r, label_value(object, r.key)); }) &&
         std::ranges::all_of(fields, [&](const auto& r) { return holds(r, field_value(object, r.key)); });
}

Answer<std::vector<Requirement>> parse_label_selector(const std::string& text) {
  std::vector<Requirement> requirements;
  if (trim(text).empty()) {
    return requirements;
  }
  for (const std::string& term : split_terms(text)) {
    auto requirement = parse_label_term(term);
    if (!requirement || requirement->key.empty() ||
        requirement->key.find_first_of(" ()!") != std::string::npos) {
      return tl::unexpected(bad_request("unable to parse requirement: \"" + term + "\" in labelSelector"));
    }
    requirements.push_back(std::move(*requirement));
  }
  return requirements;
}

Answer<std::vector<Requirement>> parse_field_selector(const std::string& text,
                                                      const std::vector<std::string>& allowed) {
  std::vector<Requirement> requirements;
  if (trim(text).empty()) {
    return requirements;
  }
  for (const std::string& term : split_terms(text)) {
    auto requirement = parse_comparison(term);
    if (!requirement) {
      return tl::unexpected(bad_request("invalid selector: '" + text + "'; can't understand '" + term + "'"));
    }
    if (std::ranges::find(allowed, requirement->key) == allowed.end()) {
      return tl::unexpected(bad_request("field label not supported: " + requirement->key));
    }
    requirements.push_back(std::move(*requirement));
  }
  return requirements;
}

}  // namespace convoke::fakes
