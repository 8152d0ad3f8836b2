// The operator put together: clients, caches, reconcilers and controllers, endpoints, leadership. Start here
// to see how the parts of Convoke are connected.
//
// Thread safety: request_stop() and request_reload() from every thread; the rest by one.
#pragma once

#include <memory>

#include "controller/base/clock.h"
#include "controller/base/level_sink.h"
#include "controller/base/logging.h"
#include "controller/base/random.h"
#include "controller/kube/http_client.h"
#include "controller/kube/transport.h"
#include "programs/operator/config.h"

namespace convoke::programs {

// The real parts that main() makes, or a test's fakes. They outlive the Operator.
struct OperatorEnvironment {
  Clock& clock;
  Random& random;
  kube::Transport& transport;
  Logger log;
  LevelSink& log_level;                    // of `log`
  std::string api_host;                    // for metrics: "10.0.0.1:443"
  std::string identity;                    // unique for each process: "<host>_<random>"
  kube::HttpClient* agent_http = nullptr;  // null: agents of the mode HTTP get nothing
};

class Operator {
 public:
  Operator(const Invocation& invocation, OperatorEnvironment environment);
  ~Operator();

  // Blocks until request_stop(), or until leadership was lost, which is an error: the process must start
  // afresh.
  Status run();
  void request_stop();
  // Reads the configuration file again now; by itself the operator looks every two seconds.
  void request_reload();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::programs
