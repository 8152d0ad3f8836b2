// YAML manifests as JSON, with the line of every value: several documents in a file, Lists, and JSON, which
// is YAML too. Values become what they become in `kubectl apply`, merge keys (`<<`) included. All exceptions
// of yaml-cpp end here.
//
// Pure but for read_file(). Errors: Invalid, "FILE:LINE:COLUMN: what is wrong".
#pragma once

#include <cstddef>
#include <istream>
#include <map>
#include <string>
#include <vector>

#include "controller/base/result.h"
#include "controller/kube/json.h"

namespace convoke::plugin {

struct Position {
  int line = 0;  // from 1; 0: unknown
  int column = 0;
};

struct YamlProblem {
  Position position;
  std::string message;
};

// NOLINTNEXTLINE(bugprone-exception-escape): moving a Json checks an invariant and throws nothing.
struct YamlDocument {
  Json value;
  std::map<std::string, Position>
      keys;  // by JSON pointer: where the key of the value stands, or the list's item
  std::vector<YamlProblem> problems;  // keys that are there twice

  // Where the value of that JSON pointer stands, or what it lies in.
  Position position_of(const std::string& pointer) const;
};

// What of a file can be read, and why the rest cannot.
// NOLINTNEXTLINE(bugprone-exception-escape): moving a Json checks an invariant and throws nothing.
struct YamlFile {
  std::vector<YamlDocument> documents;
  std::vector<YamlProblem> problems;
};

// Of all documents of a file: aliases can make a few lines very large.
inline constexpr std::size_t kMaxYamlNodes = 500'000;

// Empty documents are left out; items of a List are documents of their own. One document that is no YAML does
// not hide the others.
YamlFile read_yaml(const std::string& source, std::size_t max_nodes = kMaxYamlNodes);
// The same, where a problem of any document is an error.
Result<std::vector<YamlDocument>> parse_yaml(const std::string& text, const std::string& file);
// "-": standard input. A folder is an error.
Result<std::string> read_file(const std::string& file, std::istream& standard_input);

}  // namespace convoke::plugin
