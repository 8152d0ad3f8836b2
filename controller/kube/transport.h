// The seam between Convoke and HTTP: CpprestTransport (cpprest_transport.h) speaks to a real API server, the
// tests' FakeApiServer (tests/fakes/) answers in the same process.
//
// Thread safety: a Transport may be called from every thread; calls block the calling thread. A BodyStream is
// read by one thread and may be cancelled by any other. Errors: Unavailable (no answer, broken connection),
// Timeout (the request's deadline), Cancelled (after shutdown() or cancel()), Unauthorized only where
// credentials cannot be had at all. An answer of any HTTP status is not an error here.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/result.h"

namespace convoke::kube {

struct HttpRequest {
  std::string method;  // GET, POST, PUT, PATCH, DELETE
  std::string path;    // with the query, percent-encoded: "/api/v1/namespaces?limit=500"
  std::string body = {};
  std::string content_type = {};  // of the body
  Duration deadline =
      std::chrono::seconds(30);  // for the whole exchange; for a stream: until the headers are there
  std::map<std::string, std::string> headers = {};  // for an HttpClient (http_client.h) only
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers = {};  // names in lower case
  std::string body = {};
};

// A response body that is read as it arrives, with bounded memory: bytes that are not read hold the sender
// back.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // The next bytes, at least one; an empty string is the regular end. Blocks until there are some.
  virtual Result<std::string> read() = 0;
  // Makes a read in progress, and all later ones, return Cancelled. Thread-safe.
  virtual void cancel() = 0;
};

struct StreamResponse {
  int status = 0;
  std::map<std::string, std::string> headers = {};
  std::unique_ptr<BodyStream> body;  // also for an error status
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual Result<HttpResponse> send(const HttpRequest& request) = 0;
  virtual Result<StreamResponse> open_stream(const HttpRequest& request) = 0;
  // Calls in progress and all later ones return Cancelled.
  virtual void shutdown() = 0;
};

}  // namespace convoke::kube
