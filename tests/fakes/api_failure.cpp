#include "tests/fakes/api_failure.h"

#include <utility>

namespace convoke::fakes {
namespace {

Json details_of(const kube::ResourceType& type, const std::string& name) {
  Json details = {{"kind", type.plural}};
  if (!name.empty()) {
    details["name"] = name;
  }
  if (!type.group.empty()) {
    details["group"] = type.group;
  }
  return details;
}

std::string quoted(const kube::ResourceType& type, const std::string& name) {
  return qualified(type) + " \"" + name + "\"";
}

}  // namespace

Json to_json(const ApiFailure& failure) {
  Json status = {{"kind", "Status"},           {"apiVersion", "v1"},         {"metadata", Json::object()},
                 {"status", "Failure"},        {"message", failure.message}, {"reason", failure.reason},
                 {"details", failure.details}, {"code", failure.code}};
  if (failure.details.empty()) {
    status.erase("details");
  }
  if (failure.reason.empty()) {
    status.erase("reason");
  }
  return status;
}

kube::HttpResponse json_response(int status, const Json& body) {
  return {status, {{"content-type", "application/json"}}, dump_json(body)};
}

kube::HttpResponse to_response(const ApiFailure& failure) {
  auto response = json_response(failure.code, to_json(failure));
  if (failure.details.contains("retryAfterSeconds")) {
    response.headers["retry-after"] = failure.details["retryAfterSeconds"].dump();
  }
  return response;
}

std::string qualified(const kube::ResourceType& type) {
  return type.group.empty() ? type.plural : type.plural + "." + type.group;
}

ApiFailure not_found(const kube::ResourceType& type, const std::string& name) {
  return {404, "NotFound", quoted(type, name) + " not found", details_of(type, name)};
}

ApiFailure already_exists(const kube::ResourceType& type, const std::string& name) {
  return {409, "AlreadyExists", quoted(type, name) + " already exists", details_of(type, name)};
}

ApiFailure conflict(const kube::ResourceType& type, const std::string& name, const std::string& why) {
  return {409, "Conflict", "Operation cannot be fulfilled on " + quoted(type, name) + ": " + why,
          details_of(type, name)};
}

ApiFailure modified(const kube::ResourceType& type, const std::string& name) {
  return conflict(
      type, name,
      "the object has been modified; please apply your changes to the latest version and try again");
}

ApiFailure invalid(const kube::ResourceType& type, const std::string& name,
                   const std::vector<ErrorCause>& causes) {
  // Here alone the kind takes the place of the plural.
  Json details = details_of(type, name);
  details["kind"] = type.kind;
  std::string list;
  for (const ErrorCause& cause : causes) {
    const std::string text = cause.field + ": " + cause.message;
    list += (list.empty() ? "" : ", ") + text;
    details["causes"].push_back(
        {{"reason", cause.reason}, {"message", cause.message}, {"field", cause.field}});
  }
  if (causes.size() > 1) {
    list = "[" + list + "]";
  }
  const std::string subject = type.group.empty() ? type.kind : type.kind + "." + type.group;
  return {422, "Invalid", subject + " \"" + name + "\" is invalid: " + list, std::move(details)};
}

ApiFailure unprocessable_patch() {
  return {422, "Invalid", "the server rejected our request due to an error in our request"};
}

ApiFailure bad_request(const std::string& message) {
  return {400, "BadRequest", message};
}

ApiFailure forbidden(const kube::ResourceType& type, const std::string& name, const std::string& why) {
  return {403, "Forbidden", quoted(type, name) + " is forbidden: " + why, details_of(type, name)};
}

ApiFailure expired(const std::string& message) {
  return {410, "Expired", message};
}

ApiFailure body_too_large(std::size_t limit_bytes) {
  return {413, "RequestEntityTooLarge", "Request entity too large: limit is " + std::to_string(limit_bytes)};
}

ApiFailure object_too_large() {
  return {500, "", "etcdserver: request is too large"};
}

ApiFailure unsupported_media_type(const std::string& accepted) {
  return {415, "UnsupportedMediaType",
          "the body of the request was in an unknown format - accepted media types include: " + accepted};
}

ApiFailure method_not_allowed() {
  return {405, "MethodNotAllowed", "the server does not allow this method on the requested resource"};
}

ApiFailure throttled(Duration retry_after) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(retry_after).count();
  return {
      429, "TooManyRequests", "too many requests, please try again later", {{"retryAfterSeconds", seconds}}};
}

ApiFailure server_error(int code) {
  return {code, code == 503 ? "ServiceUnavailable" : "InternalError", "the fake server was told to fail"};
}

}  // namespace convoke::fakes
