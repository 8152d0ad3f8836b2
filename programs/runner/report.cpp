#include "programs/runner/report.h"

#include <charconv>
#include <cstring>

namespace convoke::runner {

namespace {

constexpr std::size_t kMaxMessageBytes = 2048;
constexpr std::size_t kMaxProgressBytes = 256;

// Valid UTF-8 without control characters other than line breaks.
std::string clean(const std::string& text) {
  std::string printable;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 || c == '\n' || c == '\t') printable += c;
  }
  // The JSON library replaces what is not UTF-8; a parsed round trip gives the text back.
  const auto parsed = parse_json(dump_json(Json(printable)));
  return parsed && parsed->is_string() ? parsed->get<std::string>() : std::string{};
}

// Whole lines where possible.
std::string last_lines(const std::string& text, std::size_t max) {
  if (text.size() <= max) return text;
  const auto tail = text.substr(text.size() - max);
  const auto line_end = tail.find('\n');
  return line_end == std::string::npos || line_end + 1 == tail.size() ? tail : tail.substr(line_end + 1);
}

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

Json guarded(const ReportSubject& subject, Json report) {
  report["assignmentID"] = subject.assignment_id;
  if (!subject.started_at.empty()) report["startedAt"] = subject.started_at;
  return Json::array({{{"op", "test"}, {"path", "/status/assignment/id"}, {"value", subject.assignment_id}},
                      {{"op", "add"}, {"path", "/status/report"}, {"value", std::move(report)}}});
}

void add_progress(Json& report, const Progress& progress) {
  report["progress"] = progress.percent;
  if (!progress.message.empty()) report["message"] = progress.message;
}

// What the command said last; standard output if standard error is silent.
std::string last_words(const CommandEnd& end) {
  auto words = trimmed(clean(last_lines(end.error_tail, kMaxMessageBytes)));
  if (words.empty()) words = trimmed(clean(last_lines(end.output_tail, kMaxMessageBytes)));
  return words.empty() ? "the command wrote nothing to say why" : words;
}

Outcome judge_output(const std::string& text) {
  Outcome outcome;
  outcome.succeeded = true;
  if (trimmed(text).empty()) return outcome;
  auto parsed = parse_json(text);
  if (!parsed)
    return failure("InvalidOutput", "CONVOKE_OUTPUT does not hold JSON: " + parsed.error().message, true);
  if (!parsed->is_object())
    return failure("InvalidOutput",
                   "CONVOKE_OUTPUT must hold a JSON object, not " + std::string(parsed->type_name()), true);
  outcome.outputs = std::move(*parsed);
  return outcome;
}

}  // namespace

Outcome failure(std::string code, std::string message, bool retryable) {
  Outcome outcome;
  outcome.error_code = std::move(code);
  outcome.error_message = std::move(message);
  outcome.retryable = retryable;
  return outcome;
}

Json running_patch(const ReportSubject& subject, const Progress& progress) {
  Json report = {{"state", "Running"}};
  add_progress(report, progress);
  return guarded(subject, std::move(report));
}

Json outcome_patch(const ReportSubject& subject, const Outcome& outcome, const Progress& progress,
                   const std::string& finished_at) {
  Json report = {{"state", outcome.succeeded ? "Succeeded" : "Failed"}, {"finishedAt", finished_at}};
  add_progress(report, outcome.succeeded ? Progress{100, progress.message} : progress);
  if (outcome.succeeded) {
    if (!outcome.outputs.empty()) report["outputs"] = outcome.outputs;
  } else {
    report["error"] = {
        {"code", outcome.error_code}, {"message", outcome.error_message}, {"retryable", outcome.retryable}};
  }
  return guarded(subject, std::move(report));
}

Json rejected_patch(const ReportSubject& subject, const std::string& why) {
  return guarded(subject, {{"state", "Rejected"}, {"message", why}});
}

Progress parse_progress(const std::string& text, const Progress& before) {
  const auto line = [&] {
    const auto body = trimmed(text);
    const auto at = body.rfind('\n');
    return trimmed(clean(at == std::string::npos ? body : body.substr(at + 1)));
  }();
  if (line.empty()) return before;
  Progress progress = before;
  int percent = 0;
  const auto* const end = line.data() + line.size();
  const auto number = std::from_chars(line.data(), end, percent);
  const bool has_percent =
      number.ec == std::errc{} && (number.ptr == end || std::strchr(" %\t", *number.ptr) != nullptr);
  if (has_percent) progress.percent = percent < 0 ? 0 : percent > 100 ? 100 : percent;
  auto rest = trimmed(has_percent ? std::string(number.ptr, end) : line);
  if (has_percent && !rest.empty() && rest.front() == '%') rest = trimmed(rest.substr(1));
  progress.message = clean(rest.substr(0, kMaxProgressBytes));
  return progress;
}

Outcome judge(const CommandResult& result) {
  const auto& end = result.end;
  if (end.signal != 0) {
    const char* name = ::sigabbrev_np(end.signal);
    return failure("Signal" + std::string(name == nullptr ? std::to_string(end.signal) : name),
                   "ended by a signal; " + last_words(end), true);
  }
  if (end.exit_code != 0)
    return failure("ExitCode" + std::to_string(end.exit_code), last_words(end), !result.exit_code_is_final);
  if (result.output_too_large || result.output_file.size() > kMaxOutputBytes)
    return failure("OutputTooLarge", "CONVOKE_OUTPUT holds more than 64 KiB; publish large results elsewhere",
                   false);
  return judge_output(result.output_file);
}

}  // namespace convoke::runner
