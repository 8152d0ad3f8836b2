// Requests to the Kubernetes API, as values in and values out. Start here to read controller/kube.
//
//   kube::Client client(transport, clock, random, metrics);
//   auto task = client.get(api::kTask, {"default", "build"});
//   if (!task) log.warn(task.error().describe());
//
// Thread safety: every method may be called from every thread; each blocks until its answer or deadline.
// Ownership: the transport, clock, random, metrics and guard outlive the client.
// Errors: the API's Status object becomes an Error (errors.h) whose message says what was being done to which
// object. 429 is waited out (Retry-After) and sent again within the deadline, since it was not carried out.
// GETs are also sent again after a 503 with Retry-After and after a broken connection. A write whose answer
// was lost returns Unavailable or Timeout and may have been carried out: callers use deterministic names and
// preconditions. A JSON Patch with a `test` that the server could not apply is a Conflict. A watch is tried
// once: its caller backs off.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/random.h"
#include "controller/base/result.h"
#include "controller/kube/json.h"
#include "controller/kube/object.h"
#include "controller/kube/transport.h"

namespace convoke::kube {

class ClientMetrics;  // client_metrics.h: rest_client_*

struct ListOptions {
  std::string label_selector = {};
  std::string field_selector = {};
  int limit = 500;  // 0: all at once
  std::string continue_token = {};
  std::string resource_version = {};  // empty: the most recent state (quorum read)
};

struct ListPage {
  std::vector<Json> items;  // each completed with apiVersion and kind
  std::string resource_version;
  std::string continue_token;  // empty on the last page
};

struct WatchOptions {
  std::string label_selector = {};
  std::string field_selector = {};
  std::string resource_version = {};
  bool send_initial_events = false;  // streaming list: initial ADDED events, then an annotated BOOKMARK
  std::chrono::seconds timeout{290};
};

enum class Propagation { Background, Foreground, Orphan };

struct DeleteOptions {
  std::string uid = {};               // precondition, if not empty
  std::string resource_version = {};  // precondition, if not empty
  Propagation propagation = Propagation::Background;
};

enum class PatchType { Json, Merge, Apply };

struct PatchOptions {
  PatchType type = PatchType::Merge;
  std::string subresource = {};    // "status" or empty
  std::string field_manager = {};  // default: the client's own; required by Apply
  bool force = false;              // Apply only
};

// Asked before each write of a client that has one; an error is returned instead of sending. The leader's
// client uses it, so that a deposed leader stops writing even before it notices.
class WriteGuard {
 public:
  virtual ~WriteGuard() = default;
  virtual Status may_write() = 0;
  // What is added to the field manager of each write, so that the API server can tell under whose permission
  // it was sent, however late it arrives. May be empty.
  virtual std::string signature() const { return {}; }
};

struct ClientOptions {
  std::string field_manager = "convoke";
  Duration deadline = std::chrono::seconds(30);  // of one call, with its retries
  WriteGuard* guard = nullptr;
};

class Client {
 public:
  Client(Transport& transport, Clock& clock, Random& random, ClientMetrics& metrics,
         ClientOptions options = {});

  Result<Json> get(const ResourceType& type, const ObjectKey& key);
  Result<ListPage> list(const ResourceType& type, const std::string& namespace_,
                        const ListOptions& options = {});
  // The raw watch body: one JSON object a line. A status other than 200 is an Error.
  Result<std::unique_ptr<BodyStream>> watch(const ResourceType& type, const std::string& namespace_,
                                            const WatchOptions& options);
  // `object` carries metadata.name (and namespace); apiVersion and kind are filled in if missing.
  Result<Json> create(const ResourceType& type, const Json& object);
  Result<Json> update(const ResourceType& type, const Json& object);
  // PUT of the status subresource. `object` needs metadata.{name,namespace,resourceVersion} and status only.
  Result<Json> update_status(const ResourceType& type, const Json& object);
  Result<Json> patch(const ResourceType& type, const ObjectKey& key, const Json& patch,
                     const PatchOptions& options);
  // Success also means that deletion has begun (finalizers, foreground).
  Status remove(const ResourceType& type, const ObjectKey& key, const DeleteOptions& options = {});
  // GET of any path ("/version", "/readyz"): the body as text.
  Result<std::string> get_raw(const std::string& path);
  // Ends waits between attempts, now and later: those calls return Cancelled. Exchanges in progress are ended
  // by Transport::shutdown().
  void shutdown();

 private:
  Result<Json> put(const ResourceType& type, const Json& object, const std::string& subresource,
                   const char* verb);
  std::string field_manager() const;
  Result<Json> exchange_json(HttpRequest request, bool is_write);
  Result<HttpResponse> exchange(HttpRequest request, bool is_write);
  Result<HttpResponse> send_once(const HttpRequest& request, bool is_write);
  std::optional<Duration> delay_before_retry(const Error& error, bool is_write, int attempt);

  Transport& transport_;
  Clock& clock_;
  Random& random_;
  ClientMetrics& metrics_;
  ClientOptions options_;
  StopSignal stop_;
};

}  // namespace convoke::kube
