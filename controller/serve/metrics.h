// /metrics: everything that is counted, in the text format that Prometheus scrapes.
//
// Thread safety: from every thread.
#pragma once

#include <memory>
#include <vector>

#include "controller/serve/http_server.h"

namespace prometheus {
class Collectable;
}

namespace convoke::serve {

// Registries and the process metrics (process_metrics.h), in the order in which they are shown.
using Collectables = std::vector<std::shared_ptr<prometheus::Collectable>>;

ServeResponse serve_metrics(const Collectables& sources);

}  // namespace convoke::serve
