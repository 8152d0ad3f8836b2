#include "programs/kubectl-convoke/lint.h"

#include <algorithm>
#include <map>
#include <ostream>
#include <set>

#include <re2/re2.h>

#include "controller/base/similar_word.h"
#include "programs/kubectl-convoke/json_view.h"
#include "programs/kubectl-convoke/lint_warnings.h"
#include "programs/kubectl-convoke/schema.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/spec_problems.h"
#include "reconcilers/api/workflow_run.h"
#include "reconcilers/task/demand.h"
#include "reconcilers/workflow/definition.h"
#include "reconcilers/workflow/parameters.h"

namespace convoke::plugin {
namespace {

const std::string kApiVersion = std::string(api::kGroup) + "/" + api::kVersion;

bool is_ours(const Json& object) {
  return text_at(object, "/apiVersion").starts_with(std::string(api::kGroup) + "/");
}

std::string unescaped(std::string token) {
  for (const auto& [what, by] : {std::pair{"~1", "/"}, {"~0", "~"}}) {
    for (auto at = token.find(what); at != std::string::npos; at = token.find(what, at + 1))
      token.replace(at, 2, by);
  }
  return token;
}

// Checks one manifest beside the others.
class Checker {
 public:
  Checker(const Manifest& manifest, const std::vector<Manifest>& all, std::vector<Finding>& findings)
      : manifest_(manifest), object_(manifest.document.value), all_(all), findings_(findings) {}

  void check() {
    for (const auto& problem : manifest_.document.problems)
      add_at(problem.position, Severity::Error, "", problem.message);
    if (!check_kind()) return;
    check_metadata();
    check_twice();
    for (const auto& finding : Schemas::built_in().check(kind(), object_))
      add(finding.pointer, Severity::Error, finding.message);
    check_as_operator();
    if (!refused_) add_warnings();
  }

 private:
  std::string kind() const { return text_at(object_, "/kind"); }

  void add_at(Position position, Severity severity, const std::string& field, std::string message) {
    refused_ = refused_ || severity == Severity::Error;
    findings_.push_back(
        {manifest_.file, position, severity, kind(), name_of(object_), field, std::move(message)});
  }

  void add(const std::string& pointer, Severity severity, std::string message) {
    add_at(manifest_.document.position_of(pointer), severity, field_of(pointer), std::move(message));
  }

  // What the operator says begins with the field. Where the schema found something already, it says the same.
  void add_operators(const std::string& problem) {
    const auto colon = problem.find(": ");
    const auto field = problem.substr(0, colon);
    const auto pointer = pointer_of(object_, field);
    const auto position = manifest_.document.position_of(pointer);
    const bool told = std::any_of(findings_.begin(), findings_.end(), [&](const Finding& finding) {
      return finding.file == manifest_.file && finding.position.line == position.line &&
             finding.severity == Severity::Error;
    });
    if (told) return;
    add_at(position, Severity::Error, colon == std::string::npos ? "" : field,
           colon == std::string::npos ? problem : problem.substr(colon + 2));
  }

  bool check_kind() {
    const auto version = text_at(object_, "/apiVersion");
    if (version != kApiVersion) {
      add("/apiVersion", Severity::Error, "there is no version \"" + version + "\"; it is " + kApiVersion);
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

  void check_metadata() {
    static const re2::RE2 kName("[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*");
    static const re2::RE2 kLabelValue("(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?");
    constexpr std::size_t kMostOfName = 253;
    constexpr std::size_t kMostOfLabel = 63;
    const auto name = name_of(object_);
    const bool generated = !text_at(object_, "/metadata/generateName").empty();
    if (name.empty() && !generated) add("/metadata", Severity::Error, "metadata.name is missing");
    if (!name.empty() && (name.size() > kMostOfName || !re2::RE2::FullMatch(name, kName))) {
      add("/metadata/name", Severity::Error,
          "a name has lower-case letters, digits, \"-\" and \".\", and begins and ends with a letter or "
          "digit");
    }
    const Json& labels = value_at(object_, "/metadata/labels");
    if (!labels.is_object()) return check_metadata_fields();
    for (const auto& [key, value] : labels.items()) {
      const bool good = value.is_string() && value.get_ref<const std::string&>().size() <= kMostOfLabel &&
                        re2::RE2::FullMatch(value.get<std::string>(), kLabelValue);
      if (!good) add("/metadata/labels", Severity::Error, "the value of the label " + key + " is not valid");
    }
    check_metadata_fields();
  }

  void check_metadata_fields() {
    static const std::vector<std::string> kFields = {"annotations",
                                                     "creationTimestamp",
                                                     "deletionGracePeriodSeconds",
                                                     "deletionTimestamp",
                                                     "finalizers",
                                                     "generateName",
                                                     "generation",
                                                     "labels",
                                                     "managedFields",
                                                     "name",
                                                     "namespace",
                                                     "ownerReferences",
                                                     "resourceVersion",
                                                     "selfLink",
                                                     "uid"};
    const Json& metadata = value_at(object_, "/metadata");
    if (!metadata.is_object()) return;
    for (const auto& [field, value] : metadata.items()) {
      if (std::find(kFields.begin(), kFields.end(), field) != kFields.end()) continue;
      const auto similar = most_similar(field, kFields);
      add("/metadata/" + field, Severity::Error,
          "unknown field \"" + field + "\"" + (similar.empty() ? "" : "; did you mean \"" + similar + "\"?"));
    }
  }

  // The later of two would replace the earlier.
  void check_twice() {
    for (const auto& other : all_) {
      if (&other == &manifest_) return;
      const Json& value = other.document.value;
      const bool same = is_ours(value) && text_at(value, "/kind") == kind() && !name_of(object_).empty() &&
                        name_of(value) == name_of(object_) &&
                        text_at(value, "/metadata/namespace") == text_at(object_, "/metadata/namespace");
      if (!same) continue;
      add("/metadata/name", Severity::Error,
          "there is another " + kind() + " of this name in " + other.file + ":" +
              std::to_string(other.document.position_of("/metadata/name").line));
      return;
    }
  }

  void check_as_operator() {
    if (kind() == "Agent") tell(api::spec_problems(api::Agent::from_json(object_).malformed));
    if (kind() == "Task") tell(task::problems_of(api::Task::from_json(object_)));
    if (kind() == "Workflow") {
      const auto workflow = api::Workflow::from_json(object_);
      check_definition(workflow.malformed, workflow.spec, "spec");
    }
    if (kind() == "WorkflowRun") check_run();
  }

  void tell(const std::vector<std::string>& problems) {
    for (const auto& problem : problems) add_operators(problem);
  }

  workflow::DefinitionPtr check_definition(const std::vector<std::string>& malformed,
                                           const api::WorkflowSpec& spec, const std::string& path) {
    const auto problems = api::spec_problems(malformed);
    tell(problems);
    if (!problems.empty()) return nullptr;
    const auto definition = workflow::check_definition(spec, path);
    if (definition) return *definition;
    add_operators(definition.error().message);
    return nullptr;
  }

  void check_run() {
    const auto run = api::WorkflowRun::from_json(object_);
    tell(api::spec_problems(run.malformed));
    workflow::DefinitionPtr definition;
    const Json& own = value_at(object_, "/spec/workflowSpec");
    if (own.is_object()) {
      std::vector<std::string> malformed;
      const auto spec = api::workflow_spec_from_json(own, "spec.workflowSpec", malformed);
      definition = check_definition(malformed, spec, "spec.workflowSpec");
    } else {
      definition = workflow_of_files(run.spec.workflow_name);
    }
    if (definition == nullptr || !run.spec.revision.empty()) return;
    const auto parameters = workflow::resolve_parameters(definition->spec.parameters, run.spec.parameters);
    if (!parameters) add_operators(parameters.error().message);
  }

  workflow::DefinitionPtr workflow_of_files(const std::string& name) const {
    for (const auto& other : all_) {
      const Json& value = other.document.value;
      if (!is_ours(value) || text_at(value, "/kind") != "Workflow" || name_of(value) != name) continue;
      const auto definition = workflow::parse_definition(dump_json(value_at(value, "/spec")), "spec");
      return definition ? *definition : nullptr;
    }
    return nullptr;
  }

  void add_warnings() {
    if (object_.contains("status")) {
      add("/status", Severity::Warning, "the status is written by the operator; what stands here is ignored");
    }
    std::vector<const Json*> agents;
    for (const auto& other : all_) {
      const Json& value = other.document.value;
      if (is_ours(value) && text_at(value, "/kind") == "Agent") agents.push_back(&value);
    }
    for (const auto& warning : warnings_of(object_)) add(warning.pointer, Severity::Warning, warning.message);
    for (const auto& warning : warnings_beside(object_, agents))
      add(warning.pointer, Severity::Warning, warning.message);
  }

  const Manifest& manifest_;
  const Json& object_;
  const std::vector<Manifest>& all_;
  std::vector<Finding>& findings_;
  bool refused_ = false;
};

const char* word_of(Severity severity) {
  return severity == Severity::Error ? "error" : "warning";
}

Json to_json(const Finding& finding) {
  return {{"file", finding.file},
          {"line", finding.position.line},
          {"column", finding.position.column},
          {"severity", word_of(finding.severity)},
          {"kind", finding.kind},
          {"name", finding.name},
          {"field", finding.field},
          {"message", finding.message}};
}

std::string to_line(const Finding& finding, const Style& style) {
  std::string place = finding.file;
  if (finding.position.line > 0) {
    place += ":" + std::to_string(finding.position.line) + ":" + std::to_string(finding.position.column);
  }
  const auto word = std::string(word_of(finding.severity)) + ":";
  std::string object =
      finding.kind + (finding.kind.empty() || finding.name.empty() ? "" : " ") + finding.name;
  if (!object.empty()) object += ": ";
  return style.bold(place + ":") + " " +
         (finding.severity == Severity::Error ? style.red(word) : style.yellow(word)) + " " + object +
         (finding.field.empty() ? "" : finding.field + ": ") + one_line(finding.message);
}

std::string counted(std::ptrdiff_t count, const std::string& word) {
  return std::to_string(count) + " " + word + (count == 1 ? "" : "s");
}

// From the parser: "FILE:LINE:COLUMN: message".
Finding finding_of(const std::string& file, const std::string& message) {
  Finding finding;
  finding.file = file;
  finding.message = message;
  re2::RE2 place("(\\d+):(\\d+): (.*)");
  if (message.starts_with(file + ":")) {
    std::string rest;
    if (re2::RE2::FullMatch(message.substr(file.size() + 1), place, &finding.position.line,
                            &finding.position.column, &rest)) {
      finding.message = rest;
    }
  }
  return finding;
}

}  // namespace

bool LintReport::has_errors() const {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.severity == Severity::Error; });
}

std::string field_of(const std::string& pointer) {
  std::string field;
  for (std::size_t at = 0; at < pointer.size();) {
    const auto end = std::min(pointer.find('/', at + 1), pointer.size());
    const auto token = unescaped(pointer.substr(at + 1, end - at - 1));
    const bool number = !token.empty() && token.find_first_not_of("0123456789") == std::string::npos;
    field += number ? "[" + token + "]" : (field.empty() ? "" : ".") + token;
    at = end;
  }
  return field;
}

std::string pointer_of(const Json& object, const std::string& field) {
  std::string pointer;
  const Json* at = &object;
  for (std::size_t begin = 0; begin < field.size();) {
    const bool bracket = field[begin] == '[';
    const auto end =
        std::min(bracket ? field.find(']', begin) : field.find_first_of(".[", begin), field.size());
    std::string token = field.substr(begin + (bracket ? 1 : 0), end - begin - (bracket ? 1 : 0));
    if (bracket && at->is_array()) {
      const auto named = std::find_if(at->begin(), at->end(), [&](const Json& item) {
        return item.is_object() && text_at(item, "/name") == token;
      });
      if (named != at->end()) token = std::to_string(named - at->begin());
    }
    const std::string next = pointer + "/" + token;
    if (token.find_first_of("/~") != std::string::npos || value_at(object, next).is_null()) return pointer;
    pointer = next;
    at = &value_at(object, pointer);
    begin = end + (bracket ? 1 : 0);
    if (begin < field.size() && field[begin] == '.') ++begin;
  }
  return pointer;
}

LintReport check_manifests(const std::vector<Manifest>& manifests) {
  LintReport report;
  for (const auto& manifest : manifests) {
    const Json& value = manifest.document.value;
    const bool has_kind =
        value.is_object() && !text_at(value, "/kind").empty() && !text_at(value, "/apiVersion").empty();
    if (!has_kind) {
      report.findings.push_back({manifest.file, manifest.document.position_of(""), Severity::Error, "", "",
                                 "", "this is no Kubernetes object: it needs apiVersion and kind"});
    } else if (is_ours(value)) {
      Checker(manifest, manifests, report.findings).check();
      ++report.checked;
    } else {
      ++report.others;
    }
  }
  return report;
}

Result<std::vector<Manifest>> read_manifests(const std::vector<std::string>& files,
                                             std::istream& standard_input, std::vector<Finding>& findings) {
  std::vector<Manifest> manifests;
  for (const auto& file : files) {
    const auto text = read_file(file, standard_input);
    if (!text) return text.error();
    auto documents = parse_yaml(*text, file);
    if (!documents) {
      findings.push_back(finding_of(file, documents.error().message));
      continue;
    }
    for (auto& document : *documents) manifests.push_back({file, std::move(document)});
  }
  return manifests;
}

Result<int> run_lint(const LintOptions& options, const Style& style, std::istream& in, std::ostream& out,
                     std::ostream& err) {
  std::vector<Finding> unreadable;
  const auto manifests = read_manifests(options.files, in, unreadable);
  if (!manifests) return manifests.error();
  auto report = check_manifests(*manifests);
  report.findings.insert(report.findings.end(), unreadable.begin(), unreadable.end());
  std::stable_sort(report.findings.begin(), report.findings.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.file, a.position.line, a.position.column) <
           std::tie(b.file, b.position.line, b.position.column);
  });
  const auto errors = std::count_if(report.findings.begin(), report.findings.end(),
                                    [](const Finding& one) { return one.severity == Severity::Error; });
  const auto warnings = static_cast<std::ptrdiff_t>(report.findings.size()) - errors;
  if (options.json) {
    Json json = {
        {"checked", report.checked}, {"skipped", report.others}, {"errors", errors}, {"warnings", warnings}};
    json["findings"] = Json::array();
    for (const auto& finding : report.findings) json["findings"].push_back(to_json(finding));
    out << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    for (const auto& finding : report.findings) out << to_line(finding, style) << "\n";
    err << counted(report.checked, "object") << " of Convoke: " << counted(errors, "error") << ", "
        << counted(warnings, "warning");
    if (report.others > 0)
      err << " (" << counted(report.others, "object") << " of other kinds not looked at)";
    err << "\n";
  }
  return errors > 0 || (options.strict && warnings > 0) ? 1 : 0;
}

}  // namespace convoke::plugin
