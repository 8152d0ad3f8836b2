// The answer of a service that Tasks are sent to. One byte of question, two of status, a line of Retry-After,
// a line of Location, the body.

#include "reconcilers/dispatch/dispatch_patch.h"
#include "reconcilers/dispatch/http_answer.h"
#include "tests/fuzz/check.h"

namespace {

std::string take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const std::string line(text.substr(0, end));
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convoke;
  using Kind = dispatch::Answer::Kind;
  if (size < 3) return 0;
  auto text = fuzz::as_text(data + 3, size - 3);
  kube::HttpResponse response;
  response.status = 200 + (data[1] * 256 + data[2]) % 400;
  response.headers["retry-after"] = take_line(text);
  const std::string location = take_line(text);
  response.headers["location"] = location;
  response.body = std::string(text);
  const auto question = data[0] % 2 == 0 ? dispatch::Question::Post : dispatch::Question::Poll;
  const dispatch::Answer answer = dispatch::read_answer(question, response);
  const bool ended = answer.outcome.state != api::ReportState::Running;
  fuzz::check(answer.kind != Kind::Final || ended, "what is final has ended");
  fuzz::check(answer.kind != Kind::TryAgain || !answer.trouble.empty(), "trouble is told");
  fuzz::check(answer.outcome.message.size() <= 1024, "a message is bounded");
  fuzz::check(answer.outcome.error_message.size() <= 1024, "an error's message is bounded");
  fuzz::check(answer.outcome.progress >= 0 && answer.outcome.progress <= 100, "progress is a percentage");

  api::Task task;
  task.status.assignment.id = "a";
  const Json patch = dispatch::report_patch(task, answer.outcome, "2026-01-01T00:00:00Z");
  fuzz::check(parse_json(dump_json(patch)).has_value(), "a report can be written");

  const std::string url = "https://service.example/tasks";
  const auto resolved = dispatch::resolve_location(url, location);
  if (resolved) {
    const auto address = dispatch::parse_address(*resolved);
    fuzz::check(address.has_value(), "a Location that is accepted is an address");
    fuzz::check(dispatch::origin_of(address->server) == "https://service.example:443",
                "no Location leads to another origin");
    fuzz::check(address->path.front() == '/', "a path begins with a slash");
    fuzz::check(address->path.find_first_of("\r\n ") == std::string::npos, "a path is one word");
  }
  return 0;
}
