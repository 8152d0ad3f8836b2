#include "tests/fakes/api_verbs.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "tests/fakes/api_failure.h"
#include "tests/fakes/api_patch.h"
#include "tests/fakes/api_writes.h"

namespace convoke::fakes {
namespace {

constexpr std::chrono::seconds kDefaultWatchTimeout = std::chrono::minutes(30);

using Response = Answer<kube::HttpResponse>;

// A request together with all that it is carried out on.
struct Call {
  ApiStorage& storage;
  const VerbOptions& options;
  const std::string& client;
  const ApiPath& path;
  const kube::HttpRequest& request;
  Table& table;

  Writer writer() const {
    const std::string& manager = path.parameter("fieldManager");
    return {client, manager.empty() ? client : manager, request.content_type == kApplyPatch};
  }
};

Response respond(int status, const Answer<ObjectPtr>& answer) {
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  return json_response(status, **answer);
}

Answer<Json> parse_body(const Call& call) {
  auto body = parse_json(call.request.body);
  if (!body || !body->is_object()) {
    return tl::unexpected(bad_request("the object provided is unrecognized: " +
                                      (body ? "it is not an object" : body.error().message)));
  }
  return std::move(*body);
}

Answer<Selector> parse_selector(const ApiPath& path, const Table& table) {
  auto labels = parse_label_selector(path.parameter("labelSelector"));
  if (!labels) {
    return tl::unexpected(labels.error());
  }
  auto allowed = table.options.selectable_fields;
  allowed.insert(allowed.end(), {"metadata.name", "metadata.namespace"});
  auto fields = parse_field_selector(path.parameter("fieldSelector"), allowed);
  if (!fields) {
    return tl::unexpected(fields.error());
  }
  return Selector{path.namespace_, std::move(*labels), std::move(*fields)};
}

Response get_object(const Call& call) {
  const ObjectPtr object = call.storage.get(call.table, call.path.key());
  if (object == nullptr) {
    return tl::unexpected(not_found(call.table.type, call.path.name));
  }
  return json_response(200, *object);
}

ApiFailure version_too_large(const std::string& wanted, std::uint64_t current) {
  return {504,
          "Timeout",
          "Too large resource version: " + wanted + ", current: " + std::to_string(current),
          {{"causes", {{{"reason", "ResourceVersionTooLarge"}, {"message", "Too large resource version"}}}},
           {"retryAfterSeconds", 1}}};
}

Answer<ApiStorage::Snapshot> start_list(const Call& call) {
  const std::string& wanted = call.path.parameter("resourceVersion");
  const std::uint64_t revision = kube::resource_version_number(wanted);
  if (revision > call.storage.revision()) {
    return tl::unexpected(version_too_large(wanted, call.storage.revision()));
  }
  if (call.path.parameter("resourceVersionMatch") == "Exact" && revision != call.storage.revision()) {
    return tl::unexpected(expired("The resourceVersion for the provided list is too old."));
  }
  auto selector = parse_selector(call.path, call.table);
  if (!selector) {
    return tl::unexpected(selector.error());
  }
  ApiStorage::Snapshot snapshot{call.storage.revision(), {}, 0};
  for (const auto& [key, object] : call.table.objects) {
    if (selector->matches(*object)) {
      snapshot.items.push_back(object);
    }
  }
  return snapshot;
}

Answer<ApiStorage::Snapshot> continue_list(const Call& call) {
  if (!call.path.parameter("resourceVersion").empty()) {
    return tl::unexpected(bad_request("specifying resource version is not allowed when using continue"));
  }
  auto snapshot = call.storage.find_snapshot(call.path.parameter("continue"));
  if (!snapshot) {
    return tl::unexpected(expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a "
        "new list without the continue parameter."));
  }
  return std::move(*snapshot);
}

// Lists of the types that are built in leave out what the list already says.
bool items_name_their_kind(const kube::ResourceType& type) {
  return type.group.find('.') != std::string::npos && !type.group.ends_with(".k8s.io");
}

std::string item_text(const Table& table, const Json& object) {
  if (items_name_their_kind(table.type)) {
    return dump_json(object);
  }
  Json item = object;
  item.erase("apiVersion");
  item.erase("kind");
  return dump_json(item);
}

Response list_objects(const Call& call) {
  auto snapshot = call.path.parameter("continue").empty() ? start_list(call) : continue_list(call);
  if (!snapshot) {
    return tl::unexpected(snapshot.error());
  }
  const std::string& limit_text = call.path.parameter("limit");
  const auto limit = static_cast<std::size_t>(kube::resource_version_number(limit_text));
  const std::size_t left = snapshot->items.size() - snapshot->next;
  const std::size_t count = limit == 0 ? left : std::min(limit, left);
  std::string items;
  for (std::size_t i = 0; i < count; ++i) {
    items += (i == 0 ? "" : ",") + item_text(call.table, *snapshot->items[snapshot->next + i]);
  }
  Json metadata = {{"resourceVersion", std::to_string(snapshot->revision)}};
  if (count < left) {
    metadata["remainingItemCount"] = left - count;
    snapshot->next += count;
    metadata["continue"] = call.storage.save_snapshot(std::move(*snapshot));
  }
  auto response = json_response(200, nullptr);
  response.body = R"({"kind":")" + call.table.type.kind + R"(List","apiVersion":")" +
                  call.table.type.api_version() + R"(","metadata":)" + dump_json(metadata) + R"(,"items":[)" +
                  items + "]}";
  return response;
}

std::optional<ApiFailure> check_namespace(const Call& call) {
  if (!call.options.requires_namespaces || !call.table.type.namespaced) {
    return std::nullopt;
  }
  const kube::ResourceType namespaces{"", "v1", "namespaces", "Namespace", false};
  const Table* table = call.storage.find("", "v1", "namespaces");
  if (table != nullptr && call.storage.get(*table, {"", call.path.namespace_}) != nullptr) {
    return std::nullopt;
  }
  return not_found(namespaces, call.path.namespace_);
}

Response create(const Call& call) {
  auto body = parse_body(call);
  if (!body) {
    return tl::unexpected(body.error());
  }
  if (call.table.type.namespaced && call.path.namespace_.empty()) {
    return tl::unexpected(method_not_allowed());
  }
  if (auto failure = check_namespace(call)) {
    return tl::unexpected(*failure);
  }
  return respond(
      201, create_object(call.storage, call.table, call.path.namespace_, std::move(*body), call.writer()));
}

std::optional<ApiFailure> check_update(const Call& call, const Json& body) {
  const auto meta = kube::meta_from_json(body);
  if (meta.name != call.path.name) {
    return bad_request("the name of the object (" + meta.name + ") does not match the name on the URL (" +
                       call.path.name + ")");
  }
  if (!meta.namespace_.empty() && meta.namespace_ != call.path.namespace_) {
    return bad_request("the namespace of the object (" + meta.namespace_ +
                       ") does not match the namespace on the URL (" + call.path.namespace_ + ")");
  }
  return std::nullopt;
}

Response update(const Call& call) {
  auto body = parse_body(call);
  if (!body) {
    return tl::unexpected(body.error());
  }
  if (auto failure = check_update(call, *body)) {
    return tl::unexpected(*failure);
  }
  const ObjectPtr current = call.storage.get(call.table, call.path.key());
  if (current == nullptr) {
    return tl::unexpected(not_found(call.table.type, call.path.name));
  }
  if (kube::meta_from_json(*body).resource_version.empty() &&
      !call.table.options.allows_unconditional_update) {
    return tl::unexpected(
        invalid(call.table.type, call.path.name,
                {{"metadata.resourceVersion", "Invalid value: 0: must be specified for an update",
                  "FieldValueInvalid"}}));
  }
  return respond(200, replace_object(call.storage, call.table, current, std::move(*body),
                                     call.path.subresource, call.writer()));
}

Response create_by_apply(const Call& call) {
  auto object = apply_patch(call.request.content_type, call.request.body, Json::object());
  if (!object) {
    return tl::unexpected(object.error());
  }
  (*object)["metadata"]["name"] = call.path.name;
  return respond(
      201, create_object(call.storage, call.table, call.path.namespace_, std::move(*object), call.writer()));
}

Response patch(const Call& call) {
  const bool is_apply = call.request.content_type == kApplyPatch;
  if (is_apply && call.path.parameter("fieldManager").empty()) {
    const kube::ResourceType options{"meta.k8s.io", "v1", "patchoptions", "PatchOptions", false};
    return tl::unexpected(
        invalid(options, "",
                {{"fieldManager", "Required value: is required for apply patch", "FieldValueRequired"}}));
  }
  const ObjectPtr current = call.storage.get(call.table, call.path.key());
  if (current == nullptr && is_apply && call.path.subresource.empty()) {
    return create_by_apply(call);
  }
  if (current == nullptr) {
    return tl::unexpected(not_found(call.table.type, call.path.name));
  }
  auto patched = apply_patch(call.request.content_type, call.request.body, *current);
  if (!patched) {
    return tl::unexpected(patched.error());
  }
  return respond(200, replace_object(call.storage, call.table, current, std::move(*patched),
                                     call.path.subresource, call.writer()));
}

Answer<DeletePreconditions> parse_delete_options(const Call& call) {
  DeletePreconditions options;
  options.propagation = call.path.parameter("propagationPolicy");
  if (call.request.body.empty()) {
    return options;
  }
  auto body = parse_body(call);
  if (!body) {
    return tl::unexpected(body.error());
  }
  try {
    options.propagation = body->value("propagationPolicy", options.propagation);
    const Json preconditions = body->value("preconditions", Json::object());
    options.uid = preconditions.value("uid", "");
    options.resource_version = preconditions.value("resourceVersion", "");
  } catch (const Json::exception& e) {
    return tl::unexpected(bad_request(std::string("DeleteOptions cannot be decoded: ") + e.what()));
  }
  return options;
}

Json deletion_status(const Call& call, const Json& object) {
  Json details = {
      {"name", call.path.name}, {"kind", call.table.type.plural}, {"uid", kube::meta_from_json(object).uid}};
  if (!call.table.type.group.empty()) {
    details["group"] = call.table.type.group;
  }
  return {{"kind", "Status"},
          {"apiVersion", "v1"},
          {"metadata", Json::object()},
          {"status", "Success"},
          {"details", std::move(details)}};
}

Response remove(const Call& call) {
  const auto options = parse_delete_options(call);
  if (!options) {
    return tl::unexpected(options.error());
  }
  const auto deletion = delete_object(call.storage, call.table, call.path.key(), *options, call.writer());
  if (!deletion) {
    return tl::unexpected(deletion.error());
  }
  return json_response(200, deletion->is_gone ? deletion_status(call, *deletion->object) : *deletion->object);
}

Response remove_collection(const Call& call) {
  const auto selector = parse_selector(call.path, call.table);
  if (!selector) {
    return tl::unexpected(selector.error());
  }
  const auto objects = call.table.objects;
  Json items = Json::array();
  for (const auto& [key, object] : objects) {
    if (selector->matches(*object)) {
      (void)delete_object(call.storage, call.table, key, {}, call.writer());
      items.push_back(*object);
    }
  }
  return json_response(200, {{"kind", call.table.type.kind + "List"},
                             {"apiVersion", call.table.type.api_version()},
                             {"metadata", {{"resourceVersion", std::to_string(call.storage.revision())}}},
                             {"items", std::move(items)}});
}

Response dispatch(const Call& call) {
  const std::string& method = call.request.method;
  const bool is_collection = call.path.name.empty();
  if (method == "GET") {
    return is_collection ? list_objects(call) : get_object(call);
  }
  if (method == "POST" && is_collection) {
    return create(call);
  }
  if (method == "DELETE" && call.path.subresource.empty()) {
    return is_collection ? remove_collection(call) : remove(call);
  }
  if (method == "PUT" && !is_collection) {
    return update(call);
  }
  if (method == "PATCH" && !is_collection) {
    return patch(call);
  }
  return tl::unexpected(method_not_allowed());
}

// What is served besides resources.
kube::HttpResponse serve_other(ApiStorage& storage, const ApiPath& path) {
  if (path.path == "/version") {
    return json_response(200, {{"major", "1"}, {"minor", "34"}, {"gitVersion", "v1.34.0"}});
  }
  if (path.path == "/readyz" || path.path == "/livez" || path.path == "/healthz") {
    return {200, {{"content-type", "text/plain; charset=utf-8"}}, "ok"};
  }
  Json resources = Json::array();
  std::string group_version;
  for (const auto& [id, table] : storage.tables()) {
    const auto& type = table.type;
    if (path.path == (type.group.empty() ? "/api/" : "/apis/") + type.api_version()) {
      group_version = type.api_version();
      resources.push_back({{"name", type.plural}, {"kind", type.kind}, {"namespaced", type.namespaced}});
    }
  }
  if (resources.empty()) {
    return page_not_found();
  }
  return json_response(200, {{"kind", "APIResourceList"},
                             {"apiVersion", "v1"},
                             {"groupVersion", group_version},
                             {"resources", std::move(resources)}});
}

bool is_served(const Table* table, const ApiPath& path) {
  if (table == nullptr || (!table->type.namespaced && !path.namespace_.empty())) {
    return false;
  }
  return path.subresource.empty() || (path.subresource == "status" && table->options.has_status);
}

std::optional<ApiFailure> check_initial_events(const VerbOptions& options, const ApiPath& path) {
  if (!path.flag("sendInitialEvents")) {
    return std::nullopt;
  }
  const kube::ResourceType list_options{"meta.k8s.io", "v1", "listoptions", "ListOptions", false};
  const auto refuse = [&](const char* field, const char* why) {
    return invalid(list_options, "", {{field, std::string("Forbidden: ") + why, "FieldValueForbidden"}});
  };
  if (!options.has_streaming_lists) {
    return refuse("sendInitialEvents",
                  "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled");
  }
  if (path.parameter("resourceVersionMatch") != "NotOlderThan") {
    return refuse("resourceVersionMatch",
                  "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  }
  return std::nullopt;
}

}  // namespace

kube::HttpResponse page_not_found() {
  return {404, {{"content-type", "text/plain; charset=utf-8"}}, "404 page not found\n"};
}

kube::HttpResponse serve(ApiStorage& storage, const VerbOptions& options, const std::string& client,
                         const ApiPath& path, const kube::HttpRequest& request) {
  if (!path.is_resource) {
    return serve_other(storage, path);
  }
  Table* table = storage.find(path.group, path.version, path.plural);
  if (!is_served(table, path)) {
    return page_not_found();
  }
  if (request.body.size() > kMaxBodyBytes) {
    return to_response(body_too_large(kMaxBodyBytes));
  }
  auto response = dispatch({storage, options, client, path, request, *table});
  return response ? std::move(*response) : to_response(response.error());
}

Answer<WatchStart> prepare_watch(ApiStorage& storage, const VerbOptions& options, const ApiPath& path) {
  WatchStart start;
  start.table = storage.find(path.group, path.version, path.plural);
  if (!is_served(start.table, path) || !path.name.empty()) {
    return tl::unexpected(ApiFailure{404, "NotFound", "the server could not find the requested resource"});
  }
  auto selector = parse_selector(path, *start.table);
  if (!selector) {
    return tl::unexpected(selector.error());
  }
  if (auto failure = check_initial_events(options, path)) {
    return tl::unexpected(*failure);
  }
  start.selector = std::move(*selector);
  start.revision = kube::resource_version_number(path.parameter("resourceVersion"));
  start.timeout = std::chrono::seconds(
      static_cast<std::int64_t>(kube::resource_version_number(path.parameter("timeoutSeconds"))));
  if (start.timeout.count() == 0) {
    start.timeout = kDefaultWatchTimeout;
  }
  return start;
}

}  // namespace convoke::fakes
