// rest_client_requests_total{code,method,host}, rest_client_request_retries_total{code,verb,host} and
// rest_client_request_duration_seconds{verb,host}, as client-go names them, and
// convoke_api_throttle_wait_seconds_total{host}: how long callers waited because the API server said 429.
//
// Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "controller/base/clock.h"

namespace prometheus {
class Registry;
}

namespace convoke::kube {

class ClientMetrics {
 public:
  // `host` is the label's value: "127.0.0.1:6443".
  ClientMetrics(prometheus::Registry& registry, std::string host);
  ~ClientMetrics();
  // `code` is the HTTP status, or "<error>" if there was no answer. `verb` is the HTTP method.
  void observe(const std::string& verb, const std::string& code, Duration took);
  // A request that ended with `code` will be sent again after `wait`.
  void retried(const std::string& verb, const std::string& code, Duration wait);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::kube
