// From HTTP requests to the storage and back: what the API server does with everything but a watch. Not
// thread-safe: the server's mutex guards the storage.
#pragma once

#include <string>

#include "controller/kube/transport.h"
#include "tests/fakes/api_request.h"
#include "tests/fakes/api_selector.h"
#include "tests/fakes/api_storage.h"

namespace convoke::fakes {

inline constexpr std::size_t kMaxBodyBytes = 3 * 1024 * 1024;

struct VerbOptions {
  bool requires_namespaces = false;  // a create in a namespace that does not exist is answered with 404
  bool has_streaming_lists = true;   // sendInitialEvents is served
};

// Carries the request out.
kube::HttpResponse serve(ApiStorage& storage, const VerbOptions& options, const std::string& client,
                         const ApiPath& path, const kube::HttpRequest& request);

struct WatchStart {
  const Table* table = nullptr;
  Selector selector;
  std::uint64_t revision = 0;
  std::chrono::seconds timeout{0};
};

// Checks the parameters of a watch.
Answer<WatchStart> prepare_watch(ApiStorage& storage, const VerbOptions& options, const ApiPath& path);

// The answer to a path that is not served: plain text, as the real server gives it.
kube::HttpResponse page_not_found();

}  // namespace convoke::fakes
