#include "tests/fakes/raw_api.h"

#include <utility>

namespace convoke::fakes {
namespace {

Json json_or_null(const std::string& text) {
  auto parsed = parse_json(text);
  return parsed ? std::move(*parsed) : Json();
}

std::string with_query(std::string path, const std::string& query) {
  return query.empty() ? path : std::move(path) + "?" + query;
}

}  // namespace

std::string RawAnswer::resource_version() const {
  return body.is_object() ? kube::meta_from_json(body).resource_version : std::string();
}

RawWatch::RawWatch(Result<kube::StreamResponse> response) {
  if (response) {
    status_ = response->status;
    body_ = std::move(response->body);
  } else {
    error_ = response.error();
  }
}

std::optional<Json> RawWatch::next() {
  while (rest_.find('\n') == std::string::npos) {
    auto bytes = error_ ? Result<std::string>(*error_) : body_->read();
    if (!bytes) {
      error_ = bytes.error();
    }
    if (!bytes || bytes->empty()) {
      return std::nullopt;
    }
    rest_ += *bytes;
  }
  const auto end = rest_.find('\n');
  const std::string line = rest_.substr(0, end);
  rest_.erase(0, end + 1);
  return json_or_null(line);
}

std::optional<Json> RawWatch::next_change() {
  auto event = next();
  while (event && event->value("type", "") == "BOOKMARK") {
    event = next();
  }
  return event;
}

Json RawWatch::read_error_body() {
  std::string text;
  for (auto bytes = body_->read(); bytes && !bytes->empty(); bytes = body_->read()) {
    text += *bytes;
  }
  return json_or_null(text);
}

RawAnswer RawApi::call(const std::string& method, const std::string& path, const std::string& body,
                       const std::string& content_type) {
  const auto response = transport_.send({method, path, body, body.empty() ? std::string() : content_type});
  if (!response) {
    return {0, nullptr, {}, response.error()};
  }
  return {response->status, json_or_null(response->body), response->headers, std::nullopt};
}

RawAnswer RawApi::get(const kube::ResourceType& type, const kube::ObjectKey& key) {
  return call("GET", type.path(key.namespace_, key.name));
}

RawAnswer RawApi::list(const kube::ResourceType& type, const std::string& namespace_,
                       const std::string& query) {
  return call("GET", with_query(type.path(namespace_), query));
}

RawAnswer RawApi::create(const kube::ResourceType& type, const std::string& namespace_, const Json& object) {
  Json body = object;
  body["apiVersion"] = type.api_version();
  body["kind"] = type.kind;
  return call("POST", type.path(namespace_), dump_json(body));
}

RawAnswer RawApi::put(const kube::ResourceType& type, const kube::ObjectKey& key, const Json& object,
                      const std::string& subresource) {
  Json body = object;
  body["apiVersion"] = type.api_version();
  body["kind"] = type.kind;
  return call("PUT", type.path(key.namespace_, key.name, subresource), dump_json(body));
}

RawAnswer RawApi::json_patch(const kube::ResourceType& type, const kube::ObjectKey& key, const Json& patch,
                             const std::string& subresource) {
  return call("PATCH", type.path(key.namespace_, key.name, subresource), dump_json(patch),
              "application/json-patch+json");
}

RawAnswer RawApi::merge_patch(const kube::ResourceType& type, const kube::ObjectKey& key, const Json& patch,
                              const std::string& subresource) {
  return call("PATCH", type.path(key.namespace_, key.name, subresource), dump_json(patch),
              "application/merge-patch+json");
}

RawAnswer RawApi::apply(const kube::ResourceType& type, const kube::ObjectKey& key, const Json& object,
                        const std::string& field_manager) {
  Json body = object;
  body["apiVersion"] = type.api_version();
  body["kind"] = type.kind;
  const std::string query = field_manager.empty() ? "" : "fieldManager=" + field_manager;
  return call("PATCH", with_query(type.path(key.namespace_, key.name), query), dump_json(body),
              "application/apply-patch+yaml");
}

RawAnswer RawApi::remove(const kube::ResourceType& type, const kube::ObjectKey& key, const Json& options) {
  return call("DELETE", type.path(key.namespace_, key.name), options.is_null() ? "" : dump_json(options));
}

RawWatch RawApi::watch(const kube::ResourceType& type, const std::string& namespace_,
                       const std::string& query) {
  return RawWatch(transport_.open_stream({"GET", with_query(type.path(namespace_), "watch=true&" + query)}));
}

Json named(const kube::ObjectKey& key) {
  Json metadata = {{"name", key.name}};
  if (!key.namespace_.empty()) {
    metadata["namespace"] = key.namespace_;
  }
  return {{"metadata", std::move(metadata)}};
}

}  // namespace convoke::fakes
