// `lint`: all that the API server and the operator would say of some manifests, without either; and what they
// would not say, but somebody who knows Convoke would. Each finding has its file and line.
//
// Errors: none; what cannot be read is a finding too, and the exit status 2. What the schema finds is told
// all. The operator's own check stops at the first error of a definition, and at the first of its triggers:
// the next one is told once that is mended.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "controller/base/result.h"
#include "programs/kubectl-convoke/finding.h"
#include "programs/kubectl-convoke/style.h"

namespace convoke::plugin {

struct ReadManifests {
  std::vector<Manifest> manifests;
  std::vector<Finding> findings;  // files and documents that are no YAML, or cannot be read
  bool any_unreadable = false;
};
// Of files and folders, "-" is standard input. What is YAML, but no object at all, is skipped in a folder.
ReadManifests read_manifests(const std::vector<std::string>& paths, std::istream& standard_input);

struct LintOptions {
  std::vector<std::string> files;  // and folders
  bool strict = false;             // warnings count as errors
  bool json = false;
};
Result<int> run_lint(const LintOptions& options, const Style& style, std::istream& in, std::ostream& out,
                     std::ostream& err);

}  // namespace convoke::plugin
