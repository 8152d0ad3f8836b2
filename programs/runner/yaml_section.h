// Reads one YAML mapping key by key and complains, with line and path, about what is wrong and what is left
// over.
//
// Not thread-safe. Throws nothing: yaml-cpp's exceptions end here. The first problem is kept; later ones are
// its consequences more often than not.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "controller/base/clock.h"
#include "controller/base/result.h"

namespace convoke::runner {

class YamlProblems {
 public:
  explicit YamlProblems(std::string file) : file_(std::move(file)) {}
  void add(const YAML::Node& at, const std::string& path, const std::string& message);
  Status status() const { return first_.empty() ? Status{} : Status{ErrorCode::Invalid, first_}; }

 private:
  std::string file_;
  std::string first_;
};

class YamlSection {
 public:
  YamlSection(const YAML::Node& node, std::string path, YamlProblems& problems);
  // Every key that was not asked for is a problem.
  // Throws only where memory has run out, which ends the program anyway.
  ~YamlSection();  // NOLINT(bugprone-exception-escape)
  YamlSection(const YamlSection&) = delete;
  YamlSection& operator=(const YamlSection&) = delete;

  void read(const std::string& key, std::string& value);
  void read(const std::string& key, bool& value);
  void read(const std::string& key, int& value, int min, int max);
  void read(const std::string& key, Duration& value, Duration min, Duration max);
  void read(const std::string& key, std::vector<std::string>& value);
  void read(const std::string& key, std::set<int>& value);
  void read(const std::string& key, std::map<std::string, std::string>& value);
  // The section below `key`; an empty one if it is absent.
  YAML::Node section(const std::string& key);
  std::vector<std::string> keys() const;
  std::string path_of(const std::string& key) const;

 private:
  template <class T>
  bool scalar(const std::string& key, T& value, const char* expected);
  YAML::Node take(const std::string& key);
  std::string hint(const std::string& key) const;

  YAML::Node node_;
  std::string path_;
  YamlProblems& problems_;
  std::set<std::string> asked_;
};

}  // namespace convoke::runner
