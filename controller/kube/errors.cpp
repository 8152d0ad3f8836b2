#include "controller/kube/errors.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <utility>

#include "controller/kube/json_fields.h"

namespace convoke::kube {
namespace {

constexpr std::size_t kMaxPlainTextBytes = 300;

constexpr std::array<std::pair<std::string_view, ErrorCode>, 16> kCodeOfReason{{
    {"NotFound", ErrorCode::NotFound},
    {"AlreadyExists", ErrorCode::AlreadyExists},
    {"Conflict", ErrorCode::Conflict},
    {"Gone", ErrorCode::Expired},
    {"Expired", ErrorCode::Expired},
    {"TooManyRequests", ErrorCode::Throttled},
    {"ServiceUnavailable", ErrorCode::Unavailable},
    {"ServerTimeout", ErrorCode::Unavailable},
    {"Timeout", ErrorCode::Unavailable},
    {"InternalError", ErrorCode::Unavailable},
    {"Unauthorized", ErrorCode::Unauthorized},
    {"Forbidden", ErrorCode::Forbidden},
    {"Invalid", ErrorCode::Invalid},
    {"BadRequest", ErrorCode::Invalid},
    {"RequestEntityTooLarge", ErrorCode::Invalid},
    {"UnsupportedMediaType", ErrorCode::Invalid},
}};

ErrorCode code_of_http_status(int status) {
  switch (status) {
    case 401:
      return ErrorCode::Unauthorized;
    case 403:
      return ErrorCode::Forbidden;
    case 404:
      return ErrorCode::NotFound;
    case 409:
      return ErrorCode::Conflict;
    case 410:
      return ErrorCode::Expired;
    case 429:
      return ErrorCode::Throttled;
    default:
      if (status >= 500) return ErrorCode::Unavailable;
      return status >= 400 ? ErrorCode::Invalid : ErrorCode::Internal;
  }
}

ErrorCode code_of(std::string_view reason, int status) {
  const auto* found = std::find_if(kCodeOfReason.begin(), kCodeOfReason.end(),
                                   [&](const auto& entry) { return entry.first == reason; });
  return found != kCodeOfReason.end() ? found->second : code_of_http_status(status);
}

// etcd's refusals of an object that is too large reach us as a 500 without a reason, although no retry helps.
bool is_too_large_for_etcd(const Error& error) {
  return error.http_status == 500 &&
         (error.message.find("etcdserver: request is too large") != std::string::npos ||
          error.message.find("larger than max") != std::string::npos);
}

std::vector<ErrorCause> causes_of(const Json& details) {
  std::vector<ErrorCause> result;
  const auto causes = details.find("causes");
  if (causes == details.end() || !causes->is_array()) return result;
  for (const auto& cause : *causes) {
    if (!cause.is_object()) continue;
    result.push_back({string_at(cause, "field"), string_at(cause, "message"), string_at(cause, "reason")});
  }
  return result;
}

std::optional<Duration> retry_after_of(const HttpResponse& response) {
  const auto header = response.headers.find("retry-after");
  if (header == response.headers.end()) return std::nullopt;
  int seconds = 0;
  const char* end = header->second.data() + header->second.size();
  const auto [stopped_at, error] = std::from_chars(header->second.data(), end, seconds);
  if (error != std::errc() || stopped_at != end || seconds < 0) return std::nullopt;
  return std::chrono::seconds(seconds);
}

bool is_status(const Json& body) {
  return body.is_object() && string_at(body, "kind") == "Status";
}

// Proxies and early failures answer with plain text or HTML.
Error error_from_text(const HttpResponse& response) {
  std::string text = response.body.substr(0, kMaxPlainTextBytes);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  std::string message = "the server answered with HTTP status " + std::to_string(response.status);
  if (!text.empty()) message += ": " + text;
  return {code_of_http_status(response.status), message};
}

}  // namespace

Error error_from_status(const Json& status) {
  if (!status.is_object())
    return {ErrorCode::Internal, "the server sent an error that is not a Status object"};
  Error error;
  error.http_status = static_cast<int>(number_at(status, "code"));
  error.reason = string_at(status, "reason");
  error.code = code_of(error.reason, error.http_status);
  error.message = string_at(status, "message");
  if (error.message.empty()) error.message = "the server gave no message";
  if (is_too_large_for_etcd(error)) {
    error.code = ErrorCode::Invalid;
    error.message = "the object is larger than the API server can store (" + error.message + ")";
  }
  const auto details = status.find("details");
  if (details == status.end() || !details->is_object()) return error;
  error.causes = causes_of(*details);
  const auto seconds = number_at(*details, "retryAfterSeconds");
  if (seconds > 0) error.retry_after = std::chrono::seconds(seconds);
  return error;
}

Error error_from_response(const HttpResponse& response) {
  const auto body = parse_json(response.body);
  Error error = body && is_status(*body) ? error_from_status(*body) : error_from_text(response);
  error.http_status = response.status;
  if (const auto wait = retry_after_of(response)) error.retry_after = wait;
  return error;
}

bool is_about_the_object(const Error& error) {
  if (error.http_status == 0) return false;
  if (error.code == ErrorCode::Invalid) return true;
  // "... denied request: ..." (policies), "admission webhook ... denied the request". RBAC's own refusals do
  // not say so.
  return error.code == ErrorCode::Forbidden && error.message.find(" denied ") != std::string::npos;
}

}  // namespace convoke::kube
