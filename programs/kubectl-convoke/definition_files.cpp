#include "programs/kubectl-convoke/definition_files.h"

#include <algorithm>
#include <functional>
#include <tuple>

#include "controller/base/similar_word.h"
#include "programs/kubectl-convoke/finding_text.h"
#include "programs/kubectl-convoke/json_view.h"
#include "programs/kubectl-convoke/manifest_check.h"
#include "reconcilers/api/workflow_run.h"

namespace convoke::plugin {
namespace {

// Other projects have a Workflow too. One of no group at all is a mistake, and meant for us.
bool is_definition_or_run(const Json& object) {
  const auto version = text_at(object, "/apiVersion");
  return version.empty() || version.starts_with(std::string(api::kGroup) + "/");
}

void add_run(const std::string& file, const Json& run, std::vector<FileDefinition>& definitions,
             std::vector<FileDefinition>& runs) {
  FileDefinition definition;
  definition.file = file;
  definition.namespace_ = text_at(run, "/metadata/namespace");
  definition.parameters = value_at(run, "/spec/parameters");
  const Json& own = value_at(run, "/spec/workflowSpec");
  if (!own.is_object()) {
    definition.name = text_at(run, "/spec/workflowName");
    definition.revision = text_at(run, "/spec/revision");
    runs.push_back(std::move(definition));
    return;
  }
  definition.name = name_of(run).empty() ? text_at(run, "/metadata/generateName") : name_of(run);
  definition.is_inline = true;
  definition.spec = own;
  definitions.push_back(std::move(definition));
}

bool is_workflow(const FileDefinition& one, const std::string& name, const std::string& namespace_) {
  return !one.is_inline && !one.spec.is_null() && one.name == name && one.namespace_ == namespace_;
}

// A run in the same files says with what its Workflow is run. One of an earlier revision runs something else.
void join(std::vector<FileDefinition>& definitions, const std::vector<FileDefinition>& runs) {
  for (const auto& run : runs) {
    const auto found = std::find_if(definitions.begin(), definitions.end(), [&](const FileDefinition& one) {
      return is_workflow(one, run.name, run.namespace_);
    });
    if (found == definitions.end() || !run.revision.empty()) {
      if (!run.name.empty()) definitions.push_back(run);
    } else if (found->parameters.is_null()) {
      found->parameters = run.parameters;
    }
  }
}

}  // namespace

DefinitionFiles DefinitionFiles::placed_in(const std::string& namespace_) const {
  DefinitionFiles placed;
  placed.errors = errors;
  std::vector<FileDefinition> runs;
  for (auto one : definitions) {
    if (one.namespace_.empty()) one.namespace_ = namespace_;
    (one.spec.is_null() ? runs : placed.definitions).push_back(std::move(one));
  }
  join(placed.definitions, runs);
  return placed;
}

Json DefinitionFiles::workflow(const std::string& name, const std::string& namespace_) const {
  for (const auto& one : definitions) {
    if (is_workflow(one, name, namespace_)) return one.spec;
  }
  return {};
}

Result<std::vector<FileDefinition>> DefinitionFiles::choose(const std::string& name,
                                                            const std::string& namespace_) const {
  if (definitions.empty()) {
    return Error{ErrorCode::Invalid, "there is no Workflow in the file, and no WorkflowRun"};
  }
  if (name.empty()) return definitions;
  std::vector<FileDefinition> chosen;
  std::vector<std::string> names;
  std::string list;
  for (const auto& one : definitions) {
    if (one.name == name) chosen.push_back(one);
    names.push_back(one.name);
    list += (list.empty() ? "" : ", ") + one.name;
  }
  const auto is_there = [&](const FileDefinition& one) { return one.namespace_ == namespace_; };
  const bool narrows = !namespace_.empty() && std::any_of(chosen.begin(), chosen.end(), is_there);
  if (narrows) std::erase_if(chosen, std::not_fn(is_there));
  if (!chosen.empty()) return chosen;
  const auto similar = most_similar(name, names);
  return Error{ErrorCode::Invalid,
               "there is no Workflow \"" + name + "\" in the file; " +
                   (similar.empty() ? "there are " + list : "did you mean \"" + similar + "\"?")};
}

Result<DefinitionFiles> read_definitions(const std::vector<std::string>& files,
                                         std::istream& standard_input) {
  DefinitionFiles result;
  auto read = read_manifests(files, standard_input);
  if (read.any_unreadable) {
    const auto unread = std::find_if(read.findings.begin(), read.findings.end(),
                                     [](const Finding& one) { return one.position.line == 0; });
    return Error{ErrorCode::Invalid, unread->file + " " + unread->message};
  }
  result.errors = std::move(read.findings);
  auto report = check_manifests(read.manifests);
  std::move(report.findings.begin(), report.findings.end(), std::back_inserter(result.errors));
  std::erase_if(result.errors, [](const Finding& one) { return one.severity != Severity::Error; });
  std::stable_sort(result.errors.begin(), result.errors.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.file, a.position.line, a.position.column) <
           std::tie(b.file, b.position.line, b.position.column);
  });
  std::vector<FileDefinition> runs;
  for (const auto& [file, document] : read.manifests) {
    const Json& value = document.value;
    if (!value.is_object() || !is_definition_or_run(value)) continue;
    const auto kind = text_at(value, "/kind");
    const Json& spec = value_at(value, "/spec");
    if (kind == "WorkflowRun") add_run(file, value, result.definitions, runs);
    if (kind == "Workflow" && spec.is_object()) {
      FileDefinition definition;
      definition.file = file;
      definition.namespace_ = text_at(value, "/metadata/namespace");
      definition.name = name_of(value);
      definition.spec = spec;
      result.definitions.push_back(std::move(definition));
    }
  }
  join(result.definitions, runs);
  return result;
}

Json errors_json(const std::vector<Finding>& errors) {
  Json json = {{"errors", errors.size()}, {"findings", Json::array()}};
  for (const auto& error : errors) {
    json["findings"].push_back(to_json(error));
  }
  return json;
}

}  // namespace convoke::plugin
