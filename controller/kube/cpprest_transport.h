// Transport over cpprestsdk: connection reuse, mTLS, bearer tokens and certificates that rotate, real
// deadlines, and streams with bounded memory. The only place that sees cpprestsdk, pplx or their exceptions.
//
// Thread safety and errors: as transport.h says. No callback of cpprestsdk's pool ever blocks.
#pragma once

#include <memory>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/kube/config.h"
#include "controller/kube/transport.h"

namespace convoke::kube {

struct TransportOptions {
  std::string user_agent = "convoke";
  int pool_threads = 2;  // of cpprestsdk; the first transport of a process decides
  // A stream that is silent for this long is broken. The API server sends a bookmark each minute.
  std::chrono::seconds stream_idle_timeout{90};
};

// Error Invalid if the configuration's files or PEM texts cannot be read.
Result<std::unique_ptr<Transport>> make_cpprest_transport(const ClusterConfig& config, Clock& clock,
                                                          Logger log, TransportOptions options = {});

}  // namespace convoke::kube
