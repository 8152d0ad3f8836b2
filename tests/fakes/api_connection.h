// One client's connection to the fake API server: where requests meet latency, partitions, holds and faults.
//
// Thread safety and errors: as kube::Transport.
#pragma once

#include <memory>
#include <string>

#include "controller/kube/transport.h"
#include "tests/fakes/api_core.h"

namespace convoke::fakes {

class Connection final : public kube::Transport {
 public:
  Connection(ApiCore& core, std::string client) : core_(core), client_(std::move(client)) {}

  Result<kube::HttpResponse> send(const kube::HttpRequest& request) override;
  Result<kube::StreamResponse> open_stream(const kube::HttpRequest& request) override;
  void shutdown() override;

 private:
  struct Exchange;  // one request on its way

  Status reach_server(Exchange& exchange) REQUIRES(core_.mutex);
  Status wait_while_frozen(const Exchange& exchange) REQUIRES(core_.mutex);
  Status wait_for_hold(const Exchange& exchange, HoldPoint point) REQUIRES(core_.mutex);
  Status check_network() REQUIRES(core_.mutex);
  void give_others_a_turn() REQUIRES(core_.mutex);
  Result<kube::HttpResponse> serve_exchange(Exchange& exchange) REQUIRES(core_.mutex);
  Result<kube::StreamResponse> serve_watch(Exchange& exchange) REQUIRES(core_.mutex);
  void record(const Exchange& exchange, int status, bool was_answered) REQUIRES(core_.mutex);

  ApiCore& core_;
  const std::string client_;
  bool is_shut_down_ GUARDED_BY(core_.mutex) = false;
};

}  // namespace convoke::fakes
