#include "programs/kubectl-convoke/manifest_check.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "controller/base/similar_word.h"
#include "programs/kubectl-convoke/field_path.h"
#include "programs/kubectl-convoke/json_view.h"
#include "programs/kubectl-convoke/lint_warnings.h"
#include "programs/kubectl-convoke/manifest_index.h"
#include "programs/kubectl-convoke/metadata_check.h"
#include "programs/kubectl-convoke/object_group.h"
#include "programs/kubectl-convoke/operator_check.h"
#include "programs/kubectl-convoke/schema.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/spec_problems.h"
#include "reconcilers/api/workflow_run.h"
#include "reconcilers/task/demand.h"
#include "reconcilers/workflow/parameters.h"

namespace convoke::plugin {
namespace {

// Checks one manifest beside the others.
class Checker {
 public:
  Checker(const Manifest& manifest, ManifestIndex& all, std::vector<Finding>& findings)
      : manifest_(manifest), object_(manifest.document.value), all_(all), findings_(findings) {}

  void check() {
    for (const auto& problem : manifest_.document.problems)
      add_at(problem.position, Severity::Error, "", problem.message);
    if (!check_kind()) return;
    for (const auto& problem : check_metadata(object_))
      add(problem.pointer, Severity::Error, problem.message);
    check_twice();
    for (const auto& finding : Schemas::built_in().check(kind(), object_))
      add(finding.pointer, Severity::Error, finding.message);
    check_as_the_operator();
    if (!refused_) add_warnings();
  }

  // Of an object whose group is none.
  void check_group() {
    add("/apiVersion", Severity::Error,
        "there is no \"" + text_at(object_, "/apiVersion") + "\"; did you mean " + our_api_version() + "?");
  }

 private:
  std::string kind() const { return text_at(object_, "/kind"); }

  void add_at(Position position, Severity severity, const std::string& field, std::string message) {
    refused_ = refused_ || severity == Severity::Error;
    findings_.push_back(
        {manifest_.file, position, severity, kind(), name_of(object_), field, std::move(message)});
  }

  void add(const std::string& pointer, Severity severity, std::string message) {
    if (severity == Severity::Error) told_.insert(pointer);
    add_at(manifest_.document.position_of(pointer), severity, field_of(object_, pointer), std::move(message));
  }

  // Whether something was found there already: of the value, in it, or that its item is there twice.
  bool is_told(const std::string& pointer) const {
    const auto inside = told_.lower_bound(pointer + "/");
    const bool specific = pointer.find('/', 1) != std::string::npos;  // not the whole spec
    constexpr std::string_view kName = "/name";
    return told_.contains(pointer) ||
           (specific && inside != told_.end() && inside->starts_with(pointer + "/")) ||
           (pointer.ends_with(kName) && told_.contains(pointer.substr(0, pointer.size() - kName.size())));
  }

  // What the operator says begins with the field. Where the schema found something already, it says the same.
  void add_operators(const std::string& problem) {
    const auto colon = problem.find(": ");
    const auto field = problem.substr(0, colon);
    const auto pointers = pointers_of(object_, field);
    const bool told = std::any_of(pointers.begin(), pointers.end(),
                                  [&](const std::string& pointer) { return is_told(pointer); });
    if (told) return;
    add_at(manifest_.document.position_of(pointers.front()), Severity::Error,
           colon == std::string::npos ? "" : field,
           colon == std::string::npos ? problem : problem.substr(colon + 2));
  }

  bool check_kind() {
    const auto version = text_at(object_, "/apiVersion");
    if (version != our_api_version()) {
      add("/apiVersion", Severity::Error,
          "there is no version \"" + version + "\"; it is " + our_api_version());
      return false;
    }
    if (Schemas::built_in().knows(kind())) return true;
    const auto similar = most_similar(kind(), Schemas::built_in().kinds());
    std::string known;
    for (const auto& one : Schemas::built_in().kinds()) known += (known.empty() ? "" : ", ") + one;
    add("/kind", Severity::Error,
        "there is no kind \"" + kind() + "\" in " + api::kGroup +
            (similar.empty() ? "; there are " + known : "; did you mean " + similar + "?"));
    return false;
  }

  // The later of two would replace the earlier. Of two files, such as those for two clusters, mostly one
  // alone is applied.
  void check_twice() {
    const Manifest* other = all_.namesake_in_file(manifest_);
    const auto severity = other != nullptr ? Severity::Error : Severity::Warning;
    if (other == nullptr) other = all_.namesake(manifest_);
    if (other == nullptr) return;
    add("/metadata/name", severity,
        "there is another " + kind() + " of this name in " + other->file + ":" +
            std::to_string(other->document.position_of("/metadata/name").line));
  }

  void check_as_the_operator() {
    if (kind() == "Agent") tell(api::spec_problems(api::Agent::from_json(object_).malformed));
    if (kind() == "Task") tell(task::problems_of(api::Task::from_json(object_)));
    if (kind() == "Workflow") check_definition(value_at(object_, "/spec"), "spec", Triggers::Checked);
    if (kind() == "WorkflowRun") check_run();
  }

  void tell(const std::vector<std::string>& problems) {
    for (const auto& problem : problems) add_operators(problem);
  }

  void check_definition(const Json& spec, const std::string& path, Triggers triggers) {
    auto checked = check_as_operator(spec, path, triggers);
    tell(checked.problems);
    definition_ = std::move(checked.definition);
  }

  void check_run() {
    const auto run = api::WorkflowRun::from_json(object_);
    tell(api::spec_problems(run.malformed));
    workflow::DefinitionPtr definition;
    const Json& own = value_at(object_, "/spec/workflowSpec");
    if (own.is_object()) {
      check_definition(own, "spec.workflowSpec", Triggers::Ignored);
      definition = definition_;
    } else {
      definition = all_.workflow_for(manifest_, run.spec.workflow_name);
    }
    if (definition == nullptr || !run.spec.revision.empty()) return;
    check_creator(run, *definition);
    const auto parameters = workflow::resolve_parameters(definition->spec.parameters, run.spec.parameters);
    if (!parameters) tell(one_by_one(parameters.error().message));
  }

  // Nothing fills it in: a policy of the chart only sees to it that it is true.
  void check_creator(const api::WorkflowRun& run, const workflow::Definition& definition) {
    const auto& steps = definition.spec.steps;
    const bool asks =
        std::any_of(steps.begin(), steps.end(), [](const auto& step) { return step.approval.has_value(); });
    if (!asks || !run.spec.created_by.empty()) return;
    tell(
        {"spec.createdBy: the workflow has approvals, which the creator of a run may not give: say who "
         "creates "
         "it, as `kubectl auth whoami` does"});
  }

  // "spec.parameters.a: ...; spec.parameters.b: ..."
  static std::vector<std::string> one_by_one(const std::string& message) {
    constexpr std::string_view kNext = "; spec.parameters.";
    std::vector<std::string> problems;
    std::size_t begin = 0;
    for (auto end = message.find(kNext); end != std::string::npos; end = message.find(kNext, begin)) {
      problems.push_back(message.substr(begin, end - begin));
      begin = end + 2;
    }
    problems.push_back(message.substr(begin));
    return problems;
  }

  void add_warnings() {
    if (object_.contains("status")) {
      add("/status", Severity::Warning, "the status is written by the operator; what stands here is ignored");
    }
    for (const auto& warning : warnings_of(object_, definition_.get()))
      add(warning.pointer, Severity::Warning, warning.message);
    const auto* capabilities = all_.capabilities_in(text_at(object_, "/metadata/namespace"));
    if (capabilities == nullptr) return;
    for (const auto& warning : warnings_beside(object_, *capabilities))
      add(warning.pointer, Severity::Warning, warning.message);
  }

  const Manifest& manifest_;
  const Json& object_;
  ManifestIndex& all_;
  std::vector<Finding>& findings_;
  std::set<std::string> told_;  // JSON pointers of errors of this object
  workflow::DefinitionPtr definition_;
  bool refused_ = false;
};

}  // namespace

bool LintReport::has_errors() const {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.severity == Severity::Error; });
}

LintReport check_manifests(const std::vector<Manifest>& manifests) {
  LintReport report;
  ManifestIndex index(manifests);
  for (const auto& manifest : manifests) {
    const Json& value = manifest.document.value;
    const bool has_kind =
        value.is_object() && !text_at(value, "/kind").empty() && !text_at(value, "/apiVersion").empty();
    if (!has_kind) {
      report.findings.push_back({manifest.file, manifest.document.position_of(""), Severity::Error, "", "",
                                 "", "this is no Kubernetes object: it needs apiVersion and kind"});
    } else if (is_ours(value)) {
      Checker(manifest, index, report.findings).check();
      ++report.checked;
    } else if (is_meant_to_be_ours(value)) {
      Checker(manifest, index, report.findings).check_group();
      ++report.checked;
    } else {
      ++report.others;
    }
  }
  return report;
}

}  // namespace convoke::plugin
