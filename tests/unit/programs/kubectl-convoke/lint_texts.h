// Short ways to lint a text in tests, and to say what was found.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "programs/kubectl-convoke/lint.h"
#include "programs/kubectl-convoke/manifest_check.h"

namespace convoke::plugin::texts {

inline std::string told(const Finding& finding) {
  return std::to_string(finding.position.line) +
         (finding.severity == Severity::Error ? " error " : " warning ") + finding.field + ": " +
         finding.message;
}

inline std::vector<std::string> lint(const std::string& text) {
  std::istringstream in(text);
  auto read = read_manifests({"-"}, in);
  const auto report = check_manifests(read.manifests);
  read.findings.insert(read.findings.end(), report.findings.begin(), report.findings.end());
  std::vector<std::string> lines;
  for (const auto& finding : read.findings) lines.push_back(told(finding));
  return lines;
}

// The steps begin in line 7.
inline std::string workflow(const std::string& steps) {
  return "apiVersion: convoke.dev/v1alpha1\nkind: Workflow\nmetadata: {name: build}\nspec:\n  triggers: []\n"
         "  steps:\n" +
         steps;
}

// An object of ours in one line, with that spec.
inline std::string object(const std::string& kind, const std::string& metadata, const std::string& spec) {
  return "{apiVersion: convoke.dev/v1alpha1, kind: " + kind + ", metadata: " + metadata + ", spec: " + spec +
         "}\n";
}

}  // namespace convoke::plugin::texts
