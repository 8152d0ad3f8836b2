// The configuration as YAML text, both ways. All exceptions of yaml-cpp end here.
//
// Not thread-safe.
#pragma once

#include <string>
#include <vector>

#include "programs/operator/setting.h"

namespace convoke::programs {

// Sets what the text says. `file` is its name in messages. Returns one line for each mistake, with file,
// line, column and key.
std::vector<std::string> read_yaml(Settings& settings, const std::string& text, const std::string& file);

// One key a line, each under a comment that says what it does, its range, its default, and when a change
// takes effect.
std::string print_settings(const Settings& settings);

}  // namespace convoke::programs
