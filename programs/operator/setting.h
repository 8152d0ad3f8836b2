// One key of the configuration: its place in the YAML file, its flag, its documentation, and how text becomes
// a checked value.
//
// Not thread-safe. Ownership: the variable that a Setting writes to outlives it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/result.h"

namespace convoke::programs {

// When a change of the file takes effect.
enum class Reload { Restart, Hot };

struct Setting {
  std::string path;  // "leaderElection.leaseDuration"
  std::string type;  // for --help: DURATION
  std::string help;
  std::string range;  // "a duration from 1s to 10m"
  // Error Invalid says what is wrong with the text, without naming the key.
  std::function<Status(const std::string&)> set;
  std::function<std::string()> get;
  std::string standard = {};  // what holds if nobody sets it
  Reload reload = Reload::Restart;
  bool is_list = false;            // its text is JSON, and YAML of that form in the file
  bool is_map = false;             // may be a map of single values in YAML: {a: 3} is the text a=3
  std::string source = "default";  // who set it last, for messages: "config.yaml:7", "--drain"

  // "--leader-election-lease-duration"
  std::string flag() const;
};

using Settings = std::vector<Setting>;

// What a text setting's value must fulfil beyond being text.
using TextCheck = std::function<Status(const std::string&)>;

Setting text_setting(std::string path, std::string help, std::string& value, TextCheck check = {});
Setting bool_setting(std::string path, std::string help, bool& value);
Setting int_setting(std::string path, std::string help, int& value, int min, int max);
Setting number_setting(std::string path, std::string help, double& value, double min, double max);
// "team-a=3,team-b=0.5": positive numbers by name.
Setting weights_setting(std::string path, std::string help, std::map<std::string, double>& value);
Setting duration_setting(std::string path, std::string help, Duration& value, Duration min, Duration max);

// `choices` are the words and what they mean; case does not matter.
template <class T>
Setting choice_setting(std::string path, std::string help, T& value,
                       std::vector<std::pair<std::string, T>> choices);

// The same setting, but a change of the file takes effect at once.
Setting hot(Setting setting);

namespace internal {

bool same_word(const std::string& a, const std::string& b);
Error not_one_of(const std::string& text, const std::vector<std::string>& words);

}  // namespace internal

template <class T>
Setting choice_setting(std::string path, std::string help, T& value,
                       std::vector<std::pair<std::string, T>> choices) {
  std::vector<std::string> words;
  std::string type;
  std::string range;
  for (const auto& [word, meaning] : choices) {
    words.push_back(word);
    type += (type.empty() ? "" : "|") + word;
    range += (range.empty() ? "one of " : ", ") + word;
  }
  auto set = [&value, choices, words](const std::string& text) -> Status {
    for (const auto& [word, meaning] : choices) {
      if (!internal::same_word(word, text)) continue;
      value = meaning;
      return {};
    }
    return internal::not_one_of(text, words);
  };
  auto get = [&value, choices]() -> std::string {
    for (const auto& [word, meaning] : choices) {
      if (meaning == value) return word;
    }
    return {};
  };
  return {std::move(path),  std::move(type), std::move(help),
          std::move(range), std::move(set),  std::move(get)};
}

}  // namespace convoke::programs
