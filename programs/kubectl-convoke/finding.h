// What `lint` works on, and what it finds. Plain values.
#pragma once

#include <string>
#include <vector>

#include "programs/kubectl-convoke/yaml_document.h"

namespace convoke::plugin {

enum class Severity { Error, Warning };

struct Finding {
  std::string file;
  Position position;
  Severity severity = Severity::Error;
  std::string kind;  // of the object; empty: there is none
  std::string name;
  std::string field;  // "spec.steps[build].name"; empty: the whole object
  std::string message;
};

struct Manifest {
  std::string file;
  YamlDocument document;
};

struct LintReport {
  std::vector<Finding> findings;  // by file and line
  int checked = 0;                // objects of convoke.dev
  int others = 0;                 // objects of other groups, which are not looked at

  bool has_errors() const;
};

}  // namespace convoke::plugin
