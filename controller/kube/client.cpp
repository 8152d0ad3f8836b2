#include "controller/kube/client.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "controller/kube/client_metrics.h"
#include "controller/kube/errors.h"
#include "controller/kube/json_fields.h"
#include "controller/kube/pruned_json.h"

namespace convoke::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kNoAnswer = "<error>";  // as client-go labels it
constexpr const char* kJson = "application/json";
constexpr Duration kFirstRetryDelay = milliseconds(50);
constexpr Duration kMaxRetryDelay = seconds(2);
constexpr Duration kThrottledWithoutRetryAfter = seconds(1);
constexpr std::size_t kMaxErrorBodyBytes = 64 * 1024;

// What the API server says when a JSON Patch cannot be applied: it keeps the reason to itself.
constexpr const char* kPatchNotApplied = "the server rejected our request due to an error in our request";

void append_percent_encoded(std::string& out, const std::string& text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool unreserved = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                            (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' ||
                            byte == '~';
    if (unreserved) {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
    }
  }
}

std::string percent_encoded(const std::string& text) {
  std::string out;
  append_percent_encoded(out, text);
  return out;
}

// "?a=1&b=2"; parameters without a value are left out.
class Query {
 public:
  Query& add(const char* name, const std::string& value) {
    if (value.empty()) return *this;
    text_ += text_.empty() ? '?' : '&';
    text_ += name;
    text_ += '=';
    append_percent_encoded(text_, value);
    return *this;
  }
  const std::string& str() const { return text_; }

 private:
  std::string text_;
};

std::string object_path(const ResourceType& type, const ObjectKey& key, const std::string& subresource = {}) {
  return type.path(percent_encoded(key.namespace_), percent_encoded(key.name), subresource);
}

// "tasks.convoke.dev default/a"
std::string name_of(const ResourceType& type, const ObjectKey& key) {
  std::string name = type.plural;
  if (!type.group.empty()) name += "." + type.group;
  const std::string where = key.name.empty() && !key.namespace_.empty() ? "in " + key.namespace_ : key.str();
  return where.empty() ? name : name + " " + where;
}

Json completed(Json object, const ResourceType& type) {
  if (!object.contains("apiVersion")) object["apiVersion"] = type.api_version();
  if (!object.contains("kind")) object["kind"] = type.kind;
  return object;
}

ObjectKey key_of(const Json& object) {
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) return {};
  return {string_at(*metadata, "namespace"), string_at(*metadata, "name")};
}

Status require_name(const ResourceType& type, const ObjectKey& key) {
  if (key.name.empty()) return {ErrorCode::Invalid, name_of(type, key) + ": the object has no metadata.name"};
  return {};
}

const char* content_type_of(PatchType type) {
  switch (type) {
    case PatchType::Json:
      return "application/json-patch+json";
    case PatchType::Apply:
      return "application/apply-patch+yaml";
    case PatchType::Merge:
      break;
  }
  return "application/merge-patch+json";
}

const char* to_string(Propagation propagation) {
  switch (propagation) {
    case Propagation::Foreground:
      return "Foreground";
    case Propagation::Orphan:
      return "Orphan";
    case Propagation::Background:
      break;
  }
  return "Background";
}

std::string delete_options_body(const DeleteOptions& options) {
  Json body = {
      {"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"propagationPolicy", to_string(options.propagation)}};
  if (!options.uid.empty()) body["preconditions"]["uid"] = options.uid;
  if (!options.resource_version.empty()) {
    body["preconditions"]["resourceVersion"] = options.resource_version;
  }
  return dump_json(body);
}

bool has_test(const Json& json_patch) {
  return json_patch.is_array() &&
         std::any_of(json_patch.begin(), json_patch.end(), [](const Json& operation) {
           return operation.is_object() && string_at(operation, "op") == "test";
         });
}

// A JSON Patch whose `test` fails is a lost race, not a malformed request.
Error conflict_if_test_failed(Error error, const Json& json_patch) {
  const bool not_applied = error.http_status == 422 && error.causes.empty() &&
                           error.message.find(kPatchNotApplied) != std::string::npos;
  if (not_applied && has_test(json_patch)) {
    error.code = ErrorCode::Conflict;
    error.message += " (most likely a test of the JSON Patch no longer holds)";
  }
  return error;
}

bool is_success(int status) {
  return status >= 200 && status < 300;
}

Result<ListPage> page_from(Json body, const ResourceType& type) {
  ListPage page;
  const auto metadata = body.find("metadata");
  if (metadata != body.end() && metadata->is_object()) {
    page.resource_version = string_at(*metadata, "resourceVersion");
    page.continue_token = string_at(*metadata, "continue");
  }
  const auto items = body.find("items");
  if (items == body.end() || items->is_null()) return page;
  if (!items->is_array()) return {ErrorCode::Invalid, "the list's items are not an array"};
  page.items.reserve(items->size());
  for (auto& item : *items) {
    if (item.is_object()) page.items.push_back(completed(std::move(item), type));
  }
  return page;
}

// The body of an error answer, cut to what an error needs.
std::string read_error_body(BodyStream& stream) {
  std::string body;
  while (body.size() < kMaxErrorBodyBytes) {
    auto part = stream.read();
    if (!part || part->empty()) break;
    body += *part;
  }
  stream.cancel();
  return body;
}

template <class T>
Result<T> with_context(Result<T> result, const char* verb, const ResourceType& type, const ObjectKey& key) {
  if (result) return result;
  return result.error().with_context(std::string(verb) + " " + name_of(type, key));
}

}  // namespace

Client::Client(Transport& transport, Clock& clock, Random& random, ClientMetrics& metrics,
               ClientOptions options)
    : transport_(transport),
      clock_(clock),
      random_(random),
      metrics_(metrics),
      options_(std::move(options)),
      stop_(clock) {}

Result<Json> Client::get(const ResourceType& type, const ObjectKey& key) {
  HttpRequest request{"GET", object_path(type, key)};
  return with_context(exchange_json(std::move(request), false), "getting", type, key);
}

Result<ListPage> Client::list(const ResourceType& type, const std::string& namespace_,
                              const ListOptions& options) {
  Query query;
  query.add("labelSelector", options.label_selector)
      .add("fieldSelector", options.field_selector)
      .add("limit", options.limit > 0 ? std::to_string(options.limit) : "")
      .add("continue", options.continue_token)
      // The API refuses a resourceVersion beside a continue token, which carries one.
      .add("resourceVersion", options.continue_token.empty() ? options.resource_version : "");
  const ObjectKey key{namespace_, ""};
  auto body = exchange_json({"GET", object_path(type, key) + query.str()}, false);
  if (!body) return with_context(Result<ListPage>(body.error()), "listing", type, key);
  return with_context(page_from(std::move(*body), type), "listing", type, key);
}

Result<std::unique_ptr<BodyStream>> Client::watch(const ResourceType& type, const std::string& namespace_,
                                                  const WatchOptions& options) {
  Query query;
  query.add("watch", "true")
      .add("allowWatchBookmarks", "true")
      .add("timeoutSeconds", std::to_string(options.timeout.count()))
      .add("labelSelector", options.label_selector)
      .add("fieldSelector", options.field_selector)
      .add("resourceVersion", options.resource_version);
  if (options.send_initial_events) {
    query.add("sendInitialEvents", "true").add("resourceVersionMatch", "NotOlderThan");
  }
  const ObjectKey key{namespace_, ""};
  HttpRequest request{"GET", object_path(type, key) + query.str()};
  request.deadline = options_.deadline;
  using Body = Result<std::unique_ptr<BodyStream>>;

  const auto started = clock_.monotonic_now();
  auto response = transport_.open_stream(request);
  metrics_.observe(request.method, response ? std::to_string(response->status) : kNoAnswer,
                   clock_.monotonic_now() - started);
  if (!response) return with_context(Body(response.error()), "watching", type, key);
  if (response->status == 200) return std::move(response->body);
  const HttpResponse answer{response->status, response->headers, read_error_body(*response->body)};
  return with_context(Body(error_from_response(answer)), "watching", type, key);
}

std::string Client::field_manager() const {
  return options_.field_manager + (options_.guard != nullptr ? options_.guard->signature() : "");
}

Result<Json> Client::create(const ResourceType& type, const Json& object) {
  const auto key = key_of(object);
  if (auto named = require_name(type, key); !named) return named.error();
  HttpRequest request{
      "POST", object_path(type, {key.namespace_, ""}) + Query().add("fieldManager", field_manager()).str()};
  request.body = dump_json(completed(object, type));
  request.content_type = kJson;
  return with_context(exchange_json(std::move(request), true), "creating", type, key);
}

Result<Json> Client::update(const ResourceType& type, const Json& object) {
  return put(type, object, "", "updating");
}

Result<Json> Client::update_status(const ResourceType& type, const Json& object) {
  return put(type, object, "status", "updating the status of");
}

Result<Json> Client::put(const ResourceType& type, const Json& object, const std::string& subresource,
                         const char* verb) {
  const auto key = key_of(object);
  if (auto named = require_name(type, key); !named) return named.error();
  HttpRequest request{
      "PUT", object_path(type, key, subresource) + Query().add("fieldManager", field_manager()).str()};
  request.body = dump_json(completed(object, type));
  request.content_type = kJson;
  return with_context(exchange_json(std::move(request), true), verb, type, key);
}

Result<Json> Client::patch(const ResourceType& type, const ObjectKey& key, const Json& patch,
                           const PatchOptions& options) {
  const bool apply = options.type == PatchType::Apply;
  Query query;
  query.add("fieldManager", options.field_manager.empty() ? field_manager() : options.field_manager)
      .add("force", apply && options.force ? "true" : "");
  HttpRequest request{"PATCH", object_path(type, key, options.subresource) + query.str()};
  request.body = dump_json(apply ? completed(patch, type) : patch);
  request.content_type = content_type_of(options.type);
  auto result = exchange_json(std::move(request), true);
  if (!result && options.type == PatchType::Json) {
    result = conflict_if_test_failed(result.error(), patch);
  }
  return with_context(std::move(result), apply ? "applying" : "patching", type, key);
}

Status Client::remove(const ResourceType& type, const ObjectKey& key, const DeleteOptions& options) {
  HttpRequest request{"DELETE", object_path(type, key)};
  request.body = delete_options_body(options);
  request.content_type = kJson;
  const auto response = exchange(std::move(request), true);
  if (!response) return with_context(Status(response.error()), "deleting", type, key);
  return {};
}

Result<std::string> Client::get_raw(const std::string& path) {
  auto response = exchange({"GET", path}, false);
  if (!response) return response.error().with_context("getting " + path);
  return std::move(response->body);
}

void Client::shutdown() {
  stop_.stop();
}

Result<Json> Client::exchange_json(HttpRequest request, bool is_write) {
  const auto response = exchange(std::move(request), is_write);
  if (!response) return response.error();
  auto body = parse_pruned_json(response->body);
  if (!body) return body.error().with_context("the server's answer cannot be read");
  if (!body->is_object()) return {ErrorCode::Invalid, "the server's answer is not a JSON object"};
  return body;
}

Result<HttpResponse> Client::exchange(HttpRequest request, bool is_write) {
  const auto deadline = clock_.monotonic_now() + options_.deadline;
  for (int attempt = 0;; ++attempt) {
    request.deadline = deadline - clock_.monotonic_now();
    auto response = send_once(request, is_write);
    if (response) return response;
    const auto wait = delay_before_retry(response.error(), is_write, attempt);
    if (!wait || clock_.monotonic_now() + *wait >= deadline) return response;
    const int status = response.error().http_status;
    metrics_.retried(request.method, status == 0 ? kNoAnswer : std::to_string(status), *wait);
    if (!stop_.sleep_for(*wait)) return {ErrorCode::Cancelled, "shutting down"};
  }
}

Result<HttpResponse> Client::send_once(const HttpRequest& request, bool is_write) {
  if (is_write && options_.guard != nullptr) {
    if (auto allowed = options_.guard->may_write(); !allowed) return allowed.error();
  }
  const auto started = clock_.monotonic_now();
  auto response = transport_.send(request);
  metrics_.observe(request.method, response ? std::to_string(response->status) : kNoAnswer,
                   clock_.monotonic_now() - started);
  if (response && !is_success(response->status)) return error_from_response(*response);
  return response;
}

// Nothing if the request must not, or need not, be sent again. A throttled request was not carried out, so
// even a write may be repeated; a write without an answer may have been, so it may not.
std::optional<Duration> Client::delay_before_retry(const Error& error, bool is_write, int attempt) {
  if (error.code == ErrorCode::Throttled) return error.retry_after.value_or(kThrottledWithoutRetryAfter);
  if (is_write || error.code != ErrorCode::Unavailable) return std::nullopt;
  if (error.http_status != 0) return error.http_status == 503 ? error.retry_after : std::nullopt;
  const Duration backoff =
      std::min<Duration>(kMaxRetryDelay, kFirstRetryDelay * (1 << std::min(attempt, 10)));
  return std::chrono::duration_cast<Duration>(backoff * (0.5 + random_.uniform() / 2));
}

}  // namespace convoke::kube
