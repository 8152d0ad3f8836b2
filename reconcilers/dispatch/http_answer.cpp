#include "reconcilers/dispatch/http_answer.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "controller/kube/json.h"
#include "reconcilers/dispatch/reasons.h"

namespace convoke::dispatch {
namespace {

using api::ReportState;

constexpr std::size_t kMaxMessageBytes = 1024;
constexpr std::size_t kMaxCodeBytes = 253;
constexpr std::size_t kMaxLocationBytes = 2048;
constexpr Duration kLongestRetryAfter = std::chrono::hours(24);

bool is_printable_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

// A text of that field, cut; empty if it is something else.
std::string text_of(const Json& object, const char* key, std::size_t max_bytes) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string()
             ? api::cut_text(found->get_ref<const std::string&>(), max_bytes)
             : "";
}

int progress_of(const Json& body) {
  const auto found = body.find("progress");
  if (found == body.end() || !found->is_number()) return 0;
  return static_cast<int>(std::clamp(found->get<double>(), 0.0, 100.0));
}

std::optional<Duration> retry_after_of(const kube::HttpResponse& response) {
  const auto header = response.headers.find("retry-after");
  if (header == response.headers.end()) return {};
  const std::string& text = header->second;
  int seconds = 0;
  const auto [stopped_at, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || stopped_at != text.data() + text.size() || seconds < 0) return {};
  return std::min<Duration>(std::chrono::seconds(seconds), kLongestRetryAfter);
}

std::string status_text(int status) {
  return "the service answered with HTTP status " + std::to_string(status);
}

Answer unusable(const std::string& why) {
  Answer answer;
  answer.outcome = failure(code::kInvalidAnswer, "the service's answer cannot be used: " + why, true);
  answer.is_our_verdict = true;
  return answer;
}

void read_error(const Json& error, bool retryable, Outcome& outcome) {
  outcome.error_retryable = retryable;
  if (error.is_string()) {
    outcome.error_message = api::cut_text(error.get_ref<const std::string&>(), kMaxMessageBytes);
  } else if (error.is_object()) {
    outcome.error_code = text_of(error, "code", kMaxCodeBytes);
    outcome.error_message = text_of(error, "message", kMaxMessageBytes);
    const auto given = error.find("retryable");
    if (given != error.end() && given->is_boolean()) outcome.error_retryable = given->get<bool>();
  }
}

// None: there is no such state.
std::optional<ReportState> state_of(const Json& body) {
  const auto given = body.find("state");
  if (given == body.end()) return body.contains("error") ? ReportState::Failed : ReportState::Succeeded;
  if (*given == "Running") return ReportState::Running;
  if (*given == "Succeeded") return ReportState::Succeeded;
  if (*given == "Failed") return ReportState::Failed;
  if (*given == "Rejected") return ReportState::Rejected;
  return {};
}

Answer read_body(const Json& body) {
  if (!body.is_object()) return unusable("it is no JSON object");
  const auto state = state_of(body);
  if (!state) return unusable("its state is none of Running, Succeeded, Failed and Rejected");
  Answer answer;
  Outcome& outcome = answer.outcome;
  outcome.state = *state;
  outcome.progress = progress_of(body);
  outcome.message = text_of(body, "message", kMaxMessageBytes);
  if (*state == ReportState::Failed) read_error(body.value("error", Json()), true, outcome);
  const auto outputs = body.find("outputs");
  if (*state == ReportState::Succeeded && outputs != body.end() && !outputs->is_null()) {
    if (!outputs->is_object()) return unusable("outputs is no JSON object");
    outcome.outputs = dump_json(*outputs);
  }
  return answer;
}

Answer read_text(const std::string& body) {
  if (body.find_first_not_of(" \t\r\n") == std::string::npos) return read_body(Json::object());
  const Result<Json> json = parse_json(body);
  return json ? read_body(*json) : unusable(json.error().message);
}

Answer accepted(const kube::HttpResponse& response) {
  Answer answer;
  answer.kind = Answer::Kind::Accepted;
  const Result<Json> json = parse_json(response.body);
  if (json && json->is_object()) {
    answer.outcome.progress = progress_of(*json);
    answer.outcome.message = text_of(*json, "message", kMaxMessageBytes);
  }
  const auto location = response.headers.find("location");
  if (location != response.headers.end()) answer.location = location->second;
  return answer;
}

Answer refused(const kube::HttpResponse& response) {
  Answer answer;
  const std::string what = status_text(response.status);
  const bool redirect = response.status >= 300 && response.status < 400;
  answer.outcome = failure("HTTP" + std::to_string(response.status),
                           redirect ? what + "; redirects are not followed" : what, false);
  const Result<Json> json = parse_json(response.body);
  if (json && json->is_object() && json->contains("error")) {
    Outcome told;
    read_error((*json)["error"], false, told);
    answer.outcome.error_retryable = told.error_retryable;
    if (!told.error_code.empty()) answer.outcome.error_code = told.error_code;
    if (!told.error_message.empty()) answer.outcome.error_message = told.error_message;
  }
  return answer;
}

bool is_passing(Question question, int status) {
  const bool may_not_ask = status == 401 || status == 403 || (status >= 300 && status < 400);
  if (question == Question::Poll && may_not_ask) return true;
  return status == 408 || status == 425 || status == 429 || status >= 500;
}

Answer try_again(const kube::HttpResponse& response) {
  Answer answer;
  answer.kind = Answer::Kind::TryAgain;
  answer.retry_after = retry_after_of(response);
  answer.trouble = status_text(response.status);
  const int status = response.status;
  answer.not_carried_out = status < 500 || (status == 503 && answer.retry_after);
  return answer;
}

std::size_t end_of_authority(const std::string& text) {
  const auto scheme = text.find("://");
  return scheme == std::string::npos ? std::string::npos : text.find_first_of("/?", scheme + 3);
}

}  // namespace

Outcome failure(const std::string& code, const std::string& message, bool retryable) {
  Outcome outcome;
  outcome.state = ReportState::Failed;
  outcome.error_code = api::cut_text(code, kMaxCodeBytes);
  outcome.error_message = api::cut_text(message, kMaxMessageBytes);
  outcome.error_retryable = retryable;
  return outcome;
}

Answer read_answer(Question question, const kube::HttpResponse& response) {
  const int status = response.status;
  if (status == 202) {
    Answer answer = accepted(response);
    if (question == Question::Poll) answer.kind = Answer::Kind::Running;
    return answer;
  }
  if (status >= 200 && status <= 204) {
    Answer answer = read_text(response.body);
    if (answer.outcome.state == ReportState::Running) {
      if (question == Question::Post) return unusable("who is not done yet answers with 202");
      answer.kind = Answer::Kind::Running;
    }
    return answer;
  }
  if (is_passing(question, status)) return try_again(response);
  Answer answer = refused(response);
  answer.is_our_verdict = question == Question::Poll;
  return answer;
}

Result<Address> parse_address(const std::string& text) {
  const auto where = end_of_authority(text);
  const auto server = kube::parse_server_url(text.substr(0, where));
  if (!server) return server.error();
  std::string path = where == std::string::npos ? "/" : text.substr(where);
  if (path.front() == '?') path.insert(path.begin(), '/');
  const bool sound =
      text.size() <= kMaxLocationBytes && is_printable_ascii(text) && path.find('#') == std::string::npos;
  if (!sound)
    return {ErrorCode::Invalid, "the address is too long, or holds characters that must be encoded"};
  return Address{*server, std::move(path)};
}

std::string origin_of(const kube::ServerUrl& server) {
  std::string origin = (server.https ? "https://" : "http://") + server.authority();
  std::transform(origin.begin(), origin.end(), origin.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return origin;
}

Result<std::string> resolve_location(const std::string& url, const std::string& location) {
  const auto base = parse_address(url);
  if (!base) return base.error();
  std::string absolute = location;
  if (location.rfind("//", 0) == 0) {
    absolute = (base->server.https ? "https:" : "http:") + location;
  } else if (location.find("://") == std::string::npos ||
             location.find("://") > location.find_first_of("/?")) {
    const std::string directory = base->path.substr(0, base->path.find('?'));
    const std::string prefix =
        location.rfind('/', 0) == 0 ? "" : directory.substr(0, directory.rfind('/') + 1);
    absolute = origin_of(base->server) + prefix + location;
  }
  const auto target = parse_address(absolute);
  if (!target) return target.error();
  if (origin_of(target->server) != origin_of(base->server)) {
    return {ErrorCode::Invalid, "it is at another origin than the agent's url"};
  }
  return absolute;
}

}  // namespace convoke::dispatch
