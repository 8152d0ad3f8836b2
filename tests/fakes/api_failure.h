// The fake API server's failures, as the metav1.Status objects that a real one answers with. Pure functions.
#pragma once

#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "controller/base/result.h"
#include "controller/kube/json.h"
#include "controller/kube/object.h"
#include "controller/kube/transport.h"

namespace convoke::fakes {

struct ApiFailure {
  int code = 500;
  std::string reason = "InternalError";
  std::string message = {};
  Json details = Json::object();
};

template <class T>
using Answer = tl::expected<T, ApiFailure>;

// The metav1.Status object.
Json to_json(const ApiFailure& failure);
kube::HttpResponse to_response(const ApiFailure& failure);
kube::HttpResponse json_response(int status, const Json& body);

// "tasks.convoke.dev", or "configmaps" in the core group.
std::string qualified(const kube::ResourceType& type);

ApiFailure not_found(const kube::ResourceType& type, const std::string& name);
ApiFailure already_exists(const kube::ResourceType& type, const std::string& name);
ApiFailure conflict(const kube::ResourceType& type, const std::string& name, const std::string& why);
// The conflict of a stale resourceVersion.
ApiFailure modified(const kube::ResourceType& type, const std::string& name);
ApiFailure invalid(const kube::ResourceType& type, const std::string& name,
                   const std::vector<ErrorCause>& causes);
// What a JSON Patch that cannot be applied (a failed `test`, a missing path) is answered with.
ApiFailure unprocessable_patch();
ApiFailure bad_request(const std::string& message);
ApiFailure forbidden(const kube::ResourceType& type, const std::string& name, const std::string& why);
ApiFailure expired(const std::string& message);
ApiFailure body_too_large(std::size_t limit_bytes);
// An object that etcd does not take: a 500 without a reason, although it will never succeed.
ApiFailure object_too_large();
ApiFailure unsupported_media_type(const std::string& accepted);
ApiFailure method_not_allowed();
ApiFailure throttled(Duration retry_after);
ApiFailure server_error(int code);

}  // namespace convoke::fakes
