// The seam for serving HTTP: /healthz, /readyz and /metrics. Over Boost.Beast (beast_server.cpp), with timeouts and a
// limit on connections and request size; never cpprestsdk's listener.
//
// Thread safety: start and stop by one thread; handlers run on the server's own thread and must be quick.
// Errors: Invalid or Unavailable from start() when the address cannot be bound.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/result.h"

namespace convoke::serve {

struct ServeRequest {
  std::string method;
  std::string path;   // without the query
  std::string query;  // without the '?'
};

struct ServeResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

using ServeHandler = std::function<ServeResponse(const ServeRequest&)>;

class HttpServer {
 public:
  virtual ~HttpServer() = default;
  virtual Status start() = 0;
  virtual void stop() = 0;
  virtual int port() const = 0;  // the bound port, also where 0 was asked for
};

// `address` is "127.0.0.1:8080", ":8080" (all interfaces) or "[::1]:0".
std::unique_ptr<HttpServer> make_http_server(Clock& clock, const std::string& address, ServeHandler handler);

}  // namespace convoke::serve
