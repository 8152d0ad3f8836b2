// A request that brings a CloudEvent: its headers, one a line, an empty line, and the body.

#include <map>

#include "reconcilers/workflow/cloud_event.h"
#include "tests/fuzz/check.h"

namespace {

using namespace convoke;

// A Json text that is written is read as the same event: what is stored is what came.
void check_event(const workflow::CloudEvent& event) {
  fuzz::check(!event.id.empty() && !event.source.empty() && !event.type.empty(), "an event has a name");
  const std::string text = dump_json(event.json);
  fuzz::check(text.size() <= workflow::kMaxEventBytes, "an event is not too large");
  const auto again = workflow::read_cloud_events({{"content-type", "application/cloudevents+json"}}, text);
  fuzz::check(again && again->size() == 1 && dump_json(again->front().json) == text,
              "a stored event is an event: " + (again ? "" : again.error().message));
  fuzz::check(
      workflow::event_key("uid", "trigger", again->front()) == workflow::event_key("uid", "trigger", event),
      "its key stays");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text = fuzz::as_text(data, size);
  std::map<std::string, std::string> headers;
  while (!text.empty() && text.front() != '\n') {
    const auto line = text.substr(0, text.find('\n'));
    const auto colon = line.find(": ");
    if (colon != std::string_view::npos) {
      headers[std::string(line.substr(0, colon))] = line.substr(colon + 2);
    }
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  const std::string body(text.substr(std::min<std::size_t>(1, text.size())));
  const auto events = workflow::read_cloud_events(headers, body);
  if (!events) {
    const int status = events.error().http_status;
    fuzz::check(status == 400 || status == 413 || status == 415, "a refusal has a status");
    return 0;
  }
  for (const auto& event : *events) check_event(event);
  return 0;
}
