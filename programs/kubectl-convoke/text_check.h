// Whether bytes are text that a manifest may consist of, and text made fit for a terminal.
//
// Pure, safe from every thread.
#pragma once

#include <optional>
#include <string>

namespace convoke::plugin {

struct TextProblem {
  int line = 1;  // from 1
  int column = 1;
  std::string message;
};

// The first byte or character that `kubectl` would refuse: what is not UTF-8, and control characters.
std::optional<TextProblem> find_text_problem(const std::string& text);

// The same with U+FFFD for each byte that is not UTF-8.
std::string as_utf8(const std::string& text);

// JSON writes characters beyond U+FFFF as two escapes ("\\ud83d\\ude00"), YAML as one: the same text as YAML.
std::string join_surrogates(const std::string& json);

}  // namespace convoke::plugin
