#include "reconcilers/dispatch/http_request.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "controller/base/time_format.h"
#include "reconcilers/api/json_writer.h"

namespace convoke::dispatch {
namespace {

constexpr std::uint64_t kFnvOffset = 0xcbf29ce484222325U;
constexpr std::uint64_t kFnvPrime = 0x100000001b3U;
constexpr std::size_t kTraceIdDigits = 32;

std::uint64_t fnv1a(const std::string& text) {
  std::uint64_t hash = kFnvOffset;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * kFnvPrime;
  return hash;
}

std::string hex(std::uint64_t number) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = text.size(); i-- > 0; number >>= 4U) text[i] = kDigits[number & 0xfU];
  return text;
}

// An id of zeros would be invalid.
std::string span_id(const std::string& assignment_id) {
  return hex(std::max<std::uint64_t>(fnv1a(assignment_id), 1));
}

std::string trace_id(const std::string& task_uid) {
  std::string digits;
  for (const char c : task_uid) {
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0) {
      digits += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  const bool usable = digits.size() == kTraceIdDigits && digits.find_first_not_of('0') != std::string::npos;
  return usable ? digits : span_id(task_uid) + span_id("trace " + task_uid);
}

}  // namespace

std::string task_body(const api::Task& task, Duration left) {
  Json what = {{"namespace", task.meta.namespace_},
               {"name", task.meta.name},
               {"uid", task.meta.uid},
               {"type", task.spec.type},
               {"priority", task.spec.priority},
               {"parameters", Json::object()}};
  api::put_text(what, "title", task.spec.title);
  api::put_text(what, "description", task.spec.description);
  api::put_raw(what, "parameters", task.spec.parameters);
  Json body = {{"task", std::move(what)},
               {"assignmentID", task.status.assignment.id},
               {"attempt", task.status.attempt},
               {"fencing", Json(task.status.assignment.fencing)},
               {"timeout", format_duration(std::chrono::floor<std::chrono::milliseconds>(left))}};
  const auto created = parse_time(task.meta.creation_timestamp);
  if (created) body["deadline"] = format_time(*created + task.spec.deadline);
  return dump_json(body);
}

std::string traceparent(const std::string& task_uid, const std::string& assignment_id) {
  return "00-" + trace_id(task_uid) + "-" + span_id(assignment_id) + "-01";
}

std::map<std::string, std::string> request_headers(const std::string& task_uid,
                                                   const std::string& assignment_id) {
  return {{"Idempotency-Key", assignment_id}, {"traceparent", traceparent(task_uid, assignment_id)}};
}

}  // namespace convoke::dispatch
