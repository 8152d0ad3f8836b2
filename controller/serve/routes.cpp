#include "controller/serve/routes.h"

namespace convoke::serve {

ServeHandler make_routes(const Health& health, Collectables metrics) {
  return [&health, metrics = std::move(metrics)](const ServeRequest& request) -> ServeResponse {
    if (Health::serves(request.path)) return health.handle(request);
    if (request.path == "/metrics") return serve_metrics(metrics);
    ServeResponse response;
    response.body = "/healthz\n/readyz\n/metrics\n";
    if (request.path != "/") {
      response.status = 404;
      response.body = "not found; there are:\n" + response.body;
    }
    return response;
  };
}

}  // namespace convoke::serve
