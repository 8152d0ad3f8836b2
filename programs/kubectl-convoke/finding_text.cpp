#include "programs/kubectl-convoke/finding_text.h"

#include "programs/kubectl-convoke/text_check.h"
#include "reconcilers/api/common.h"

namespace convoke::plugin {
namespace {

const char* word_of(Severity severity) {
  return severity == Severity::Error ? "error" : "warning";
}

// Whatever a manifest or the name of a file holds, it is one line of text.
std::string printable(const std::string& text) {
  return one_line(as_utf8(text));
}

}  // namespace

std::string quoted(const std::string& text) {
  constexpr std::size_t kMostBytes = 80;
  return "\"" + api::cut_text(text, kMostBytes) + "\"";
}

std::string counted(std::int64_t count, const std::string& word) {
  return std::to_string(count) + " " + word + (count == 1 ? "" : "s");
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
  return style.bold(printable(place) + ":") + " " +
         (finding.severity == Severity::Error ? style.red(word) : style.yellow(word)) + " " +
         printable(object + (finding.field.empty() ? "" : finding.field + ": ") + finding.message);
}

}  // namespace convoke::plugin
