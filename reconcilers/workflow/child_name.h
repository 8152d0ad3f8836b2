// Deterministic names of what a Workflow or a run creates: a create that is sent twice meets its own first
// try.
//
// Every name fits 63 characters, so that it may also stand in a label. Pure; safe from every thread.
#pragma once

#include <string>
#include <string_view>

namespace convoke::workflow {

inline constexpr std::size_t kMaxNameLength = 63;

// `name` if it fits, else cut, with the first 8 hex digits of `identity`'s hash at its end.
std::string fit_name(std::string_view name, std::string_view identity);
inline std::string fit_name(std::string_view name) {
  return fit_name(name, name);
}

// "<prefix>-<suffix>", with the prefix cut and hashed so that all of it fits.
std::string name_with_suffix(std::string_view prefix, std::string_view suffix);

// The Task of a step: "<run>-<step>".
std::string child_name(const std::string& run, const std::string& step);
// The name for when a foreign object has the first one: "<run>-<step>-<hash of the run's uid and the step>".
std::string alternative_child_name(const std::string& run, const std::string& run_uid,
                                   const std::string& step);

// The run that the Create trigger of a Workflow makes, once in the life of that Workflow's uid.
std::string created_run_name(const std::string& workflow, const std::string& workflow_uid);
std::string alternative_created_run_name(const std::string& workflow, const std::string& workflow_uid);

}  // namespace convoke::workflow
