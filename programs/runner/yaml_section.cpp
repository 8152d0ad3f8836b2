#include "programs/runner/yaml_section.h"

#include "controller/base/similar_word.h"
#include "controller/base/time_format.h"

namespace convoke::runner {

void YamlProblems::add(const YAML::Node& at, const std::string& path, const std::string& message) {
  if (!first_.empty()) return;
  const auto mark = at.Mark();
  first_ = file_;
  if (!mark.is_null()) first_ += ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
  first_ += ": " + path + ": " + message;
}

YamlSection::YamlSection(const YAML::Node& node, std::string path, YamlProblems& problems)
    : node_(node), path_(std::move(path)), problems_(problems) {
  if (!node_.IsNull() && !node_.IsMap()) {
    problems_.add(node_, path_.empty() ? "the file" : path_, "expected a mapping of keys to values");
    node_ = YAML::Node();
  }
}

YamlSection::~YamlSection() {  // NOLINT(bugprone-exception-escape)
  if (!node_.IsMap()) return;
  std::set<std::string> seen;
  for (const auto& entry : node_) {
    const auto key = entry.first.IsScalar() ? entry.first.Scalar() : "?";
    if (!seen.insert(key).second) problems_.add(entry.first, path_of(key), "is there twice");
    if (!asked_.contains(key)) problems_.add(entry.first, path_of(key), "there is no such key; " + hint(key));
  }
}

// What may have been meant by a key that does not exist.
std::string YamlSection::hint(const std::string& key) const {
  const std::string meant = most_similar(key, {asked_.begin(), asked_.end()});
  std::string known;
  for (const auto& name : asked_) known += (known.empty() ? "" : ", ") + name;
  return (meant.empty() ? "" : "did you mean " + path_of(meant) + "? ") + "known here: " + known;
}

std::string YamlSection::path_of(const std::string& key) const {
  return path_.empty() ? key : path_ + "." + key;
}

// An absent key is a null node: yaml-cpp's undefined nodes throw at almost every question.
YAML::Node YamlSection::take(const std::string& key) {
  asked_.insert(key);
  if (!node_.IsMap()) return {};
  const YAML::Node& readable = node_;  // a const node does not grow the key that it is asked for
  const auto found = readable[key];
  return found.IsDefined() ? found : YAML::Node();
}

template <class T>
bool YamlSection::scalar(const std::string& key, T& value, const char* expected) {
  const auto node = take(key);
  if (node.IsNull()) return false;
  try {
    if (node.IsScalar()) {
      value = node.as<T>();
      return true;
    }
  } catch (const YAML::Exception&) {  // said below, with what was expected
  }
  problems_.add(node, path_of(key), std::string("expected ") + expected);
  return false;
}

void YamlSection::read(const std::string& key, std::string& value) {
  scalar(key, value, "text");
}

void YamlSection::read(const std::string& key, bool& value) {
  scalar(key, value, "true or false");
}

void YamlSection::read(const std::string& key, int& value, int min, int max) {
  int read = value;
  if (!scalar(key, read, "a whole number")) return;
  if (read < min || read > max) {
    problems_.add(take(key), path_of(key),
                  "must be from " + std::to_string(min) + " to " + std::to_string(max) + ", not " +
                      std::to_string(read));
    return;
  }
  value = read;
}

void YamlSection::read(const std::string& key, Duration& value, Duration min, Duration max) {
  std::string text;
  if (!scalar(key, text, "a duration such as 30s")) return;
  const auto parsed = parse_duration(text);
  if (!parsed) {
    problems_.add(take(key), path_of(key), parsed.error().message);
  } else if (*parsed < min || *parsed > max) {
    problems_.add(take(key), path_of(key),
                  "must be from " + format_duration(min) + " to " + format_duration(max) + ", not " + text);
  } else {
    value = *parsed;
  }
}

void YamlSection::read(const std::string& key, std::vector<std::string>& value) {
  const auto node = take(key);
  if (node.IsNull()) return;
  if (!node.IsSequence()) return problems_.add(node, path_of(key), "expected a list of texts");
  value.clear();
  for (const auto& item : node) {
    if (!item.IsScalar()) return problems_.add(item, path_of(key), "expected a list of texts");
    value.push_back(item.Scalar());
  }
}

void YamlSection::read(const std::string& key, std::set<int>& value) {
  std::vector<std::string> texts;
  read(key, texts);
  for (const auto& text : texts) {
    const auto number = YAML::Node(text);
    try {
      value.insert(number.as<int>());
    } catch (const YAML::Exception&) {
      return problems_.add(take(key), path_of(key), "expected a list of whole numbers");
    }
  }
}

void YamlSection::read(const std::string& key, std::map<std::string, std::string>& value) {
  const auto node = take(key);
  if (node.IsNull()) return;
  if (!node.IsMap()) return problems_.add(node, path_of(key), "expected a mapping of names to texts");
  for (const auto& entry : node) {
    const auto path = path_of(key) + "." + entry.first.Scalar();
    if (!entry.second.IsScalar()) return problems_.add(entry.second, path, "expected text");
    if (!value.emplace(entry.first.Scalar(), entry.second.Scalar()).second)
      return problems_.add(entry.first, path, "is there twice");
  }
}

YAML::Node YamlSection::section(const std::string& key) {
  return take(key);
}

std::vector<std::string> YamlSection::keys() const {
  std::vector<std::string> out;
  if (!node_.IsMap()) return out;
  for (const auto& entry : node_) {
    if (entry.first.IsScalar()) out.push_back(entry.first.Scalar());
  }
  return out;
}

}  // namespace convoke::runner
