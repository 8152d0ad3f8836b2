// The Kubernetes API as bare HTTP for tests: what was answered, with nothing interpreted or repeated. Works
// on any Transport, so that the same test runs against the fake and a real API server. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "controller/kube/json.h"
#include "controller/kube/object.h"
#include "controller/kube/transport.h"

namespace convoke::fakes {

struct RawAnswer {
  int status = 0;  // 0: no answer, see `error`
  Json body;       // null if it is not JSON
  std::map<std::string, std::string> headers;
  std::optional<Error> error;

  // Of a metav1.Status: "Conflict"; empty if there is none.
  std::string reason() const { return body.is_object() ? body.value("reason", "") : ""; }
  std::string resource_version() const;
};

// The lines of a watch, one event at a time.
class RawWatch {
 public:
  explicit RawWatch(Result<kube::StreamResponse> response);

  int status() const { return status_; }
  // The next event ({"type":..., "object":...}); empty at the end, or after an error.
  std::optional<Json> next();
  // The next event that is not a BOOKMARK.
  std::optional<Json> next_change();
  // The bytes after the last whole line.
  const std::string& rest() const { return rest_; }
  // Why there was no answer, or why the stream broke.
  const std::optional<Error>& error() const { return error_; }
  void cancel() { body_->cancel(); }
  // All that an error status came with.
  Json read_error_body();

 private:
  int status_ = 0;
  std::unique_ptr<kube::BodyStream> body_;
  std::string rest_;
  std::optional<Error> error_;
};

class RawApi {
 public:
  explicit RawApi(kube::Transport& transport) : transport_(transport) {}

  RawAnswer call(const std::string& method, const std::string& path, const std::string& body = {},
                 const std::string& content_type = "application/json");

  RawAnswer get(const kube::ResourceType& type, const kube::ObjectKey& key);
  // `query` as sent, without the question mark.
  RawAnswer list(const kube::ResourceType& type, const std::string& namespace_,
                 const std::string& query = {});
  RawAnswer create(const kube::ResourceType& type, const std::string& namespace_, const Json& object);
  RawAnswer put(const kube::ResourceType& type, const kube::ObjectKey& key, const Json& object,
                const std::string& subresource = {});
  RawAnswer json_patch(const kube::ResourceType& type, const kube::ObjectKey& key, const Json& patch,
                       const std::string& subresource = {});
  RawAnswer merge_patch(const kube::ResourceType& type, const kube::ObjectKey& key, const Json& patch,
                        const std::string& subresource = {});
  RawAnswer apply(const kube::ResourceType& type, const kube::ObjectKey& key, const Json& object,
                  const std::string& field_manager);
  RawAnswer remove(const kube::ResourceType& type, const kube::ObjectKey& key, const Json& options = nullptr);
  RawWatch watch(const kube::ResourceType& type, const std::string& namespace_,
                 const std::string& query = {});

 private:
  kube::Transport& transport_;
};

// {"metadata": {"name": ..., "namespace": ...}}
Json named(const kube::ObjectKey& key);

}  // namespace convoke::fakes
