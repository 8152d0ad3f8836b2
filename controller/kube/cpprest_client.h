// The adapter for cpprestsdk: starts requests and turns what becomes of them, its exceptions included, into
// calls of an Exchange.
//
// Thread safety: start() may be called from every thread and does not block. Exchanges in progress keep what
// they need alive: a client may be destroyed under them.
#pragma once

#include <memory>
#include <string>

#include <cpprest/http_client.h>

#include "controller/base/clock.h"
#include "controller/base/result.h"
#include "controller/kube/exchange.h"
#include "controller/kube/server_url.h"
#include "controller/kube/tls.h"
#include "controller/kube/transport.h"

namespace convoke::kube {

class CpprestClient {
 public:
  // `tls` is null for http. `idle_timeout`: how long the server may send nothing before the connection counts
  // as broken.
  static Result<std::unique_ptr<CpprestClient>> make(const ServerUrl& server,
                                                     std::shared_ptr<const TlsSnapshot> tls,
                                                     std::chrono::seconds idle_timeout);

  // The outcome, whatever it is, reaches the exchange; its token cancels the request. `authorization` is the
  // header's value, or empty.
  void start(const HttpRequest& request, const std::string& user_agent, const std::string& authorization,
             const std::shared_ptr<Exchange>& exchange);

  // Sizes cpprestsdk's thread pool, which the first call decides.
  static void start_pool(int threads);

 private:
  CpprestClient(const ServerUrl& server, std::shared_ptr<const TlsSnapshot> tls,
                const web::http::client::http_client_config& config);

  const ServerUrl server_;
  const std::shared_ptr<const TlsSnapshot> tls_;
  const std::chrono::seconds idle_timeout_;
  web::http::client::http_client client_;
};

}  // namespace convoke::kube
