// Which path answers with what: /healthz, /readyz, /metrics, and a list of these at /.
#pragma once

#include "controller/serve/health.h"
#include "controller/serve/http_server.h"
#include "controller/serve/metrics.h"

namespace convoke::serve {

// `health` outlives the handler.
ServeHandler make_routes(const Health& health, Collectables metrics);

}  // namespace convoke::serve
