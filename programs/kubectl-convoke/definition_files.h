// The definitions that manifests hold, for `plan` and `graph`, and what `lint` would refuse in these
// manifests.
//
// Errors of read_definitions(): files that cannot be read. What is wrong in them is in `errors`, and
// definitions beside it are given all the same, as far as they can be told.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "programs/kubectl-convoke/lint.h"

namespace convoke::plugin {

// That of a Workflow, of a run with one of its own, or of a run whose Workflow is elsewhere.
// NOLINTNEXTLINE(bugprone-exception-escape): moving a Json checks an invariant and throws nothing.
struct FileDefinition {
  std::string file;
  std::string namespace_;  // empty: the manifest names none
  std::string name;        // of the Workflow, or of the run
  bool is_inline = false;  // the run's own
  Json spec;               // null: the Workflow `name` is elsewhere
  Json parameters;         // of the first run of it; null: none
  std::string revision;    // of a run that names one, which is then never taken for one of `definitions`
};

// NOLINTNEXTLINE(bugprone-exception-escape): moving a Json checks an invariant and throws nothing.
struct DefinitionFiles {
  std::vector<FileDefinition> definitions;  // as they stand in the files
  std::vector<Finding> errors;              // by file and line; no warnings

  // The same, where what names no namespace is in that one.
  DefinitionFiles placed_in(const std::string& namespace_) const;
  // The spec of the Workflow of that name in that namespace; null: it is not there.
  Json workflow(const std::string& name, const std::string& namespace_) const;
  // Those of that name, or, if it is empty, all; Invalid where there is none. Where some of that name are in
  // `namespace_`, only these.
  Result<std::vector<FileDefinition>> choose(const std::string& name,
                                             const std::string& namespace_ = "") const;
};

// "-": standard input.
Result<DefinitionFiles> read_definitions(const std::vector<std::string>& files, std::istream& standard_input);

Json errors_json(const std::vector<Finding>& errors);

}  // namespace convoke::plugin
