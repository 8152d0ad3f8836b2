// rest_client_requests_total{code,method,host} and rest_client_request_duration_seconds{verb,host}, as
// client-go names them. Thread-safe.
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

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::kube
