// Deterministic names of what one object creates: a create that is sent twice meets its own first try.
//
// Every name fits 63 characters, so that it may also stand in a label. Pure; safe from every thread.
#pragma once

#include <string>
#include <string_view>

namespace convoke::api {

inline constexpr std::size_t kMaxNameLength = 63;

// `name` if it fits, else cut, with the first 8 hex digits of `identity`'s hash at its end.
std::string fit_name(std::string_view name, std::string_view identity);
inline std::string fit_name(std::string_view name) {
  return fit_name(name, name);
}

// "<prefix>-<suffix>", with the prefix cut and hashed so that all of it fits.
std::string name_with_suffix(std::string_view prefix, std::string_view suffix);

// The Task of a run's step, or of a Task's subtask: "<owner>-<part>".
std::string child_name(const std::string& owner, const std::string& part);

}  // namespace convoke::api
