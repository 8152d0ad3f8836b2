// What an agent writes: JSON Patches of a Task's status.report, each guarded by a `test` of the assignment
// id, so that the API server itself refuses an agent that was given up. Pure functions.
#pragma once

#include <string>

#include "controller/kube/json.h"
#include "programs/runner/process.h"

namespace convoke::runner {

// `outputs` above this are refused by the operator; the runner says so itself.
inline constexpr std::size_t kMaxOutputBytes = std::size_t{64} * 1024;

struct Progress {
  int percent = 0;
  std::string message;
  bool operator==(const Progress&) const = default;
};

struct Outcome {
  bool succeeded = false;
  Json outputs = Json::object();
  std::string error_code;
  std::string error_message;
  bool retryable = true;
};
Outcome failure(std::string code, std::string message, bool retryable);

// Who reports about what.
struct ReportSubject {
  std::string assignment_id;
  std::string started_at;  // RFC 3339; empty if it never started
};

Json running_patch(const ReportSubject& subject, const Progress& progress);
Json outcome_patch(const ReportSubject& subject, const Outcome& outcome, const Progress& progress,
                   const std::string& finished_at);
Json rejected_patch(const ReportSubject& subject, const std::string& why);

// The last line of `text`, "40 compiling" or "compiling"; lines that are not UTF-8 are cleaned.
Progress parse_progress(const std::string& text, const Progress& before);

// How a command that ended is judged. `output_file` is what it wrote to CONVOKE_OUTPUT ("" if nothing);
// `output_too_large` if that file was too large to be read at all.
struct CommandResult {
  CommandEnd end;
  std::string output_file;
  bool output_too_large = false;
  bool exit_code_is_final = false;
};
Outcome judge(const CommandResult& result);

}  // namespace convoke::runner
