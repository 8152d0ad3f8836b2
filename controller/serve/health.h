// Named checks behind /healthz and /readyz, as the API server itself serves them:
//
//   GET /readyz            "ok", or 503 with one line for each check
//   GET /readyz?verbose    always the lines: "[+]caches ok", "[-]caches failed: no list of tasks yet"
//   GET /readyz/caches     one check alone
//   GET /readyz?exclude=x  without x
//
// /healthz says whether the process works at all (else it is restarted); /readyz whether it can do its work.
//
// Thread safety: checks are added before serving begins; handle() from every thread, and so are the checks
// called. Ownership: what a check captures outlives the Health.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "controller/base/result.h"
#include "controller/serve/http_server.h"

namespace convoke::serve {

// Success, or an Error whose message is the reason that people read. Must be quick and must not block.
using HealthCheck = std::function<Status()>;

class Health {
 public:
  // Both have the check "ping", which shows that the server answers.
  Health();

  void add_health_check(const std::string& name, HealthCheck check);
  void add_ready_check(const std::string& name, HealthCheck check);

  // Whether `path` is one of the paths above.
  static bool serves(const std::string& path);
  ServeResponse handle(const ServeRequest& request) const;

 private:
  using Checks = std::vector<std::pair<std::string, HealthCheck>>;

  Checks healthz_;
  Checks readyz_;
};

}  // namespace convoke::serve
