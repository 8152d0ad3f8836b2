// `lint`: all that the API server and the operator would say of some manifests, without either; and what they
// would not say, but somebody who knows Convoke would. Each finding has its file and line.
//
// check_manifests() is pure. Errors of run_lint(): files that cannot be read; what is wrong in them are
// findings.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "controller/base/result.h"
#include "programs/kubectl-convoke/style.h"
#include "programs/kubectl-convoke/yaml_document.h"

namespace convoke::plugin {

enum class Severity { Error, Warning };

struct Finding {
  std::string file;
  Position position;
  Severity severity = Severity::Error;
  std::string kind;  // of the object; empty: there is none
  std::string name;
  std::string field;  // "spec.steps[0].name"; empty: the whole object
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

LintReport check_manifests(const std::vector<Manifest>& manifests);

// "-" is standard input; files that are no YAML are findings too.
Result<std::vector<Manifest>> read_manifests(const std::vector<std::string>& files,
                                             std::istream& standard_input, std::vector<Finding>& findings);

// "/spec/steps/0/name": "spec.steps[0].name"
std::string field_of(const std::string& pointer);
// "spec.steps[build].task.type" as the operator writes it: the JSON pointer of what is there of it.
std::string pointer_of(const Json& object, const std::string& field);

struct LintOptions {
  std::vector<std::string> files;
  bool strict = false;  // warnings count as errors
  bool json = false;
};
Result<int> run_lint(const LintOptions& options, const Style& style, std::istream& in, std::ostream& out,
                     std::ostream& err);

}  // namespace convoke::plugin
