// convoke_dispatch_requests_total{mode,result} and convoke_dispatch_request_seconds{mode}: what was sent to
// agents that Tasks are brought to. Results of the mode HTTP: the class of the status ("2xx") or "error"; of
// the mode Job: "created" or "error". All series exist from the start.
//
// Thread safety: all methods from every thread. Ownership: the registry outlives this.
#pragma once

#include <memory>
#include <string>

#include "controller/base/clock.h"
#include "reconcilers/api/agent.h"

namespace prometheus {
class Registry;
}

namespace convoke::dispatch {

class DispatchMetrics {
 public:
  explicit DispatchMetrics(prometheus::Registry& registry);
  ~DispatchMetrics();

  // `http_status`: 0 for no answer.
  void http_answered(int http_status, Duration took);
  void job_asked(bool created, Duration took);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::dispatch
