// Which of an object's problems are its author's. Pure, safe from every thread.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace convoke::api {

// The entries of `malformed` that are not about status: status is ours to rewrite, so that a problem there
// heals with the next write and is no fault of the spec.
inline std::vector<std::string> spec_problems(const std::vector<std::string>& malformed) {
  constexpr std::string_view kStatus = "status";
  std::vector<std::string> problems;
  std::copy_if(malformed.begin(), malformed.end(), std::back_inserter(problems),
               [&](const std::string& problem) { return !problem.starts_with(kStatus); });
  return problems;
}

// The problems as one message: the first three, and how many more there are.
inline std::string describe_problems(const std::vector<std::string>& problems) {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(problems.size(), kShown); ++i) {
    text += (i == 0 ? "" : "; ") + problems[i];
  }
  if (problems.size() > kShown) {
    text += " (and " + std::to_string(problems.size() - kShown) + " more)";
  }
  return text;
}

}  // namespace convoke::api
