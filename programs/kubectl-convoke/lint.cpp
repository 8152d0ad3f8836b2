#include "programs/kubectl-convoke/lint.h"

#include <algorithm>
#include <ostream>
#include <tuple>

#include "programs/kubectl-convoke/context.h"
#include "programs/kubectl-convoke/finding_text.h"
#include "programs/kubectl-convoke/manifest_check.h"
#include "programs/kubectl-convoke/manifest_files.h"
#include "programs/kubectl-convoke/text_check.h"

namespace convoke::plugin {
namespace {

Finding error_of(const std::string& file, const std::string& message, Position position = {}) {
  Finding finding;
  finding.file = file;
  finding.position = position;
  finding.message = message;
  return finding;
}

// Something else that is YAML, such as the values of a chart.
bool holds_no_object(const std::vector<YamlDocument>& documents) {
  return std::none_of(documents.begin(), documents.end(), [](const YamlDocument& document) {
    const Json& value = document.value;
    return value.is_object() && (value.contains("apiVersion") || value.contains("kind"));
  });
}

void read_manifest(const std::string& file, bool of_folder, std::istream& standard_input,
                   ReadManifests& read) {
  const auto text = read_file(file, standard_input);
  if (!text) {
    read.any_unreadable = true;
    const auto& message = text.error().message;
    const auto name = as_utf8(file) + " ";  // it stands before the finding already
    read.findings.push_back(
        error_of(file, message.starts_with(name) ? message.substr(name.size()) : message));
    return;
  }
  auto yaml = read_yaml(*text);
  if (of_folder && yaml.problems.empty() && holds_no_object(yaml.documents)) return;
  for (const auto& problem : yaml.problems)
    read.findings.push_back(error_of(file, problem.message, problem.position));
  for (auto& document : yaml.documents) read.manifests.push_back({file, std::move(document)});
}

void print_json(const LintReport& report, std::ptrdiff_t errors, std::ptrdiff_t warnings, std::ostream& out) {
  Json json = {
      {"checked", report.checked}, {"skipped", report.others}, {"errors", errors}, {"warnings", warnings}};
  json["findings"] = Json::array();
  for (const auto& finding : report.findings) json["findings"].push_back(to_json(finding));
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

void print_text(const LintReport& report, std::ptrdiff_t errors, std::ptrdiff_t warnings, const Style& style,
                std::ostream& out, std::ostream& err) {
  for (const auto& finding : report.findings) out << to_line(finding, style) << "\n";
  err << counted(report.checked, "object") << " of Convoke: " << counted(errors, "error") << ", "
      << counted(warnings, "warning");
  if (report.others > 0) err << " (" << counted(report.others, "object") << " of other kinds not looked at)";
  err << "\n";
}

}  // namespace

ReadManifests read_manifests(const std::vector<std::string>& paths, std::istream& standard_input) {
  ReadManifests read;
  for (const auto& path : paths) {
    const auto found = manifest_files(path);
    for (const auto& folder : found.unreadable) {
      read.any_unreadable = true;
      read.findings.push_back(error_of(folder, "the folder cannot be read"));
    }
    for (const auto& file : found.files) read_manifest(file, file != path, standard_input, read);
  }
  // Who checks nothing has mostly named the wrong file.
  const bool nothing = read.manifests.empty() && read.findings.empty();
  for (std::size_t i = 0; nothing && i < paths.size(); ++i)
    read.findings.push_back(error_of(paths[i], "there is no object in it"));
  return read;
}

Result<int> run_lint(const LintOptions& options, const Style& style, std::istream& in, std::ostream& out,
                     std::ostream& err) {
  const auto read = read_manifests(options.files, in);
  auto report = check_manifests(read.manifests);
  report.findings.insert(report.findings.end(), read.findings.begin(), read.findings.end());
  std::stable_sort(report.findings.begin(), report.findings.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.file, a.position.line, a.position.column) <
           std::tie(b.file, b.position.line, b.position.column);
  });
  const auto errors = std::count_if(report.findings.begin(), report.findings.end(),
                                    [](const Finding& one) { return one.severity == Severity::Error; });
  const auto warnings = static_cast<std::ptrdiff_t>(report.findings.size()) - errors;
  if (options.json) {
    print_json(report, errors, warnings, out);
  } else {
    print_text(report, errors, warnings, style, out, err);
  }
  if (read.any_unreadable) return kCannot;
  return errors > 0 || (options.strict && warnings > 0) ? 1 : 0;
}

}  // namespace convoke::plugin
