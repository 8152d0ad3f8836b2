// Every key of the operator's configuration, and what must hold between them.
//
// Not thread-safe. Ownership: the config outlives the settings that refer into it.
#pragma once

#include <string>
#include <vector>

#include "programs/operator/config.h"
#include "programs/operator/setting.h"

namespace convoke::programs {

// All there is to set, in the order in which it is printed; keys of one section stand together.
Settings settings_of(OperatorConfig& config);

// One line for each pair of keys that do not fit each other.
std::vector<std::string> conflicts(const Settings& settings, const OperatorConfig& config);

struct SettingChange {
  std::string path;
  std::string before;
  std::string after;

  std::string str() const;  // `log.level from "Info" to "Debug"`
};

// The keys of that kind whose values differ.
std::vector<SettingChange> changes(const OperatorConfig& before, const OperatorConfig& after, Reload kind);

}  // namespace convoke::programs
