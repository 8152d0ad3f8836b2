// What a command leaves for the runner: its output file, its progress lines, its standard error.

#include "controller/kube/json.h"
#include "programs/runner/report.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convoke;
  if (size < 2) return 0;
  const std::string text(fuzz::as_text(data + 2, size - 2));
  runner::CommandResult result;
  result.end.exit_code = data[0] % 4 == 0 ? 0 : data[0];
  result.end.signal = data[1] % 8 == 1 ? 9 : 0;
  result.end.error_tail = text;
  result.end.output_tail = text;
  result.output_file = text;
  result.output_too_large = data[1] % 8 == 2;
  result.exit_code_is_final = data[1] % 8 == 3;
  const runner::Outcome outcome = runner::judge(result);
  const runner::Progress progress = runner::parse_progress(text, {});
  fuzz::check(progress.percent >= 0 && progress.percent <= 100, "progress lies between 0 and 100");
  fuzz::check(outcome.succeeded || !outcome.error_code.empty(), "a failure has a code");
  // The API server takes UTF-8 only.
  const auto patch = dump_json(runner::outcome_patch({"id", ""}, outcome, progress, "2026-01-01T00:00:00Z"));
  fuzz::check(parse_json(patch).has_value(), "a report is JSON");
  return 0;
}
