// The seam for serving HTTP: /healthz, /readyz and /metrics, and what is brought to us. Start here to read
// controller/serve: health.h holds the checks, metrics.h the numbers, routes.h which path answers with what.
//
// Over Boost.Beast (beast_server.cpp), with timeouts and a limit on connections and request size; never
// cpprestsdk's listener. GET and HEAD only, and POST where requests may have a body.
//
// Thread safety: start and stop by one thread. Handlers run on the server's own thread and must be quick,
// unless there are `workers`: then they run on those, several at once, and may take their time.
// Errors: Invalid or Unavailable from start() when the address cannot be read or bound, or the TLS files
// cannot be used. A handler that throws answers 500.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/result.h"

namespace convoke::serve {

struct ServeRequest {
  std::string method;
  std::string path;                                 // without the query
  std::string query;                                // without the '?'
  std::map<std::string, std::string> headers = {};  // names in lower case; several of a name as one list
  std::string body = {};
};

struct ServeResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::map<std::string, std::string> headers = {};  // beyond those of every answer
};

using ServeHandler = std::function<ServeResponse(const ServeRequest&)>;

class HttpServer {
 public:
  virtual ~HttpServer() = default;
  virtual Status start() = 0;
  // Answers that are on their way are finished, for `timeout` at most.
  virtual void stop() = 0;
  virtual int port() const = 0;  // the bound port, also where 0 was asked for
};

// PEM files. They are looked at again while the server runs; ones that cannot be used leave the former in
// place.
struct TlsFiles {
  std::string certificate;  // with its chain
  std::string key;
};

struct HttpServerOptions {
  std::chrono::milliseconds timeout{5000};  // for a whole request to arrive, and for its answer to be taken
  std::uint32_t max_header_bytes = 8192;
  std::size_t max_connections = 64;  // more wait in the kernel's queue until one ends
  std::uint64_t max_body_bytes = 0;  // 0: a request has no body, and POST is not served
  int workers = 0;                   // threads for handlers; 0: the server's own
  std::optional<TlsFiles> tls = {};  // none: plain HTTP
  // Told when the TLS files cannot be used any more, and why. From the server's thread.
  std::function<void(const Error&)> on_tls_problem = {};
};

// `address` is "127.0.0.1:8080", ":8080" (all interfaces) or "[::1]:0".
std::unique_ptr<HttpServer> make_http_server(Clock& clock, const std::string& address, ServeHandler handler,
                                             HttpServerOptions options = {});

}  // namespace convoke::serve
