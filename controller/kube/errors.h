// From an HTTP answer of the API server to an Error. Pure functions.
#pragma once

#include "controller/base/result.h"
#include "controller/kube/json.h"
#include "controller/kube/transport.h"

namespace convoke::kube {

// For any status outside 200..299: reads the metav1.Status in the body (if it is one), the causes and
// Retry-After.
Error error_from_response(const HttpResponse& response);
// A metav1.Status object, as in-stream ERROR events carry it.
Error error_from_status(const Json& status);

// True if the server refused this very object (its schema, an admission policy, its size), so that the same
// request fails again. False for what is about the moment or about us: RBAC denies everything for a moment
// after the API server was restarted, and roles or quotas may be on their way.
bool is_about_the_object(const Error& error);

}  // namespace convoke::kube
