#include "tests/fakes/api_connection.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "tests/fakes/api_garbage.h"
#include "tests/fakes/api_streams.h"

namespace convoke::fakes {
namespace {

Error broken_connection() {
  return {ErrorCode::Unavailable, "the connection broke before the answer came"};
}

bool is_write(const std::string& method) {
  return method != "GET" && method != "WATCH";
}

kube::StreamResponse as_stream(kube::HttpResponse response) {
  return {response.status, std::move(response.headers),
          std::make_unique<TextStream>(std::move(response.body))};
}

}  // namespace

struct Connection::Exchange {
  const kube::HttpRequest& request;
  ApiPath path;
  std::string method;  // WATCH for a watch
  MonotonicTime deadline;
  std::optional<Fault> fault = {};

  Exchange(const kube::HttpRequest& the_request, MonotonicTime now)
      : request(the_request),
        path(parse_path(the_request.path)),
        method(the_request.method == "GET" && path.flag("watch") ? "WATCH" : the_request.method),
        deadline(now + the_request.deadline) {}

  bool has_fault(Fault::Kind kind) const { return fault && fault->kind == kind; }
};

Result<kube::HttpResponse> Connection::send(const kube::HttpRequest& request) {
  Exchange exchange(request, core_.clock.monotonic_now());
  const MutexLock lock(core_.mutex);
  if (auto status = reach_server(exchange); !status) {
    return status.error();
  }
  return serve_exchange(exchange);
}

Result<kube::StreamResponse> Connection::open_stream(const kube::HttpRequest& request) {
  Exchange exchange(request, core_.clock.monotonic_now());
  const MutexLock lock(core_.mutex);
  if (auto status = reach_server(exchange); !status) {
    return status.error();
  }
  if (exchange.method == "WATCH") {
    return serve_watch(exchange);
  }
  auto response = serve_exchange(exchange);
  if (!response) {
    return response.error();
  }
  return as_stream(std::move(*response));
}

void Connection::shutdown() {
  const MutexLock lock(core_.mutex);
  is_shut_down_ = true;
  for (WatchStream* stream : core_.world.streams) {
    if (stream->owner().connection == this) {
      stream->finish(WatchStream::End::Cancelled);
    }
  }
  core_.changed->notify_all();
}

// All that happens to a request on its way; then the fault that is meant for it is known.
Status Connection::reach_server(Exchange& exchange) {
  ApiWorld& world = core_.world;
  ++world.request_counts[client_];
  give_others_a_turn();
  if (auto status = wait_while_frozen(exchange); !status) {
    return status;
  }
  if (auto status = wait_for_hold(exchange, HoldPoint::BeforeCarryingOut); !status) {
    return status;
  }
  exchange.fault = world.faults.take(client_, exchange.method, exchange.request.path);
  if (exchange.has_fault(Fault::Kind::DropRequest)) {
    record(exchange, 0, false);
    return broken_connection();
  }
  return {};
}

Status Connection::check_network() {
  if (is_shut_down_) {
    return {ErrorCode::Cancelled, "the connection was shut down"};
  }
  if (core_.world.partitioned.contains(client_)) {
    return {ErrorCode::Unavailable, "connection refused"};
  }
  return {};
}

void Connection::give_others_a_turn() {
  const MonotonicTime until = core_.clock.monotonic_now() + core_.world.latency;
  if (core_.world.interleaves || core_.world.latency > Duration::zero()) {
    while (core_.changed->wait_until(core_.mutex, until)) {
    }
  }
}

Status Connection::wait_while_frozen(const Exchange& exchange) {
  while (core_.world.frozen.contains(client_)) {
    if (auto status = check_network(); !status) {
      return status;
    }
    if (core_.clock.monotonic_now() >= exchange.deadline) {
      return {ErrorCode::Timeout, "no answer within the request's deadline"};
    }
    core_.changed->wait_until(core_.mutex, exchange.deadline);
  }
  return check_network();
}

Status Connection::wait_for_hold(const Exchange& exchange, HoldPoint point) {
  auto& holds = core_.world.holds;
  const auto found = std::ranges::find_if(holds, [&](const auto& hold) {
    return hold->point == point && hold->matcher.matches(client_, exchange.method, exchange.request.path);
  });
  if (found == holds.end()) {
    return {};
  }
  const auto hold = *found;
  holds.erase(found);
  hold->is_reached = true;
  core_.changed->notify_all();
  while (!hold->is_released) {
    if (auto status = check_network(); !status) {
      return status;
    }
    if (core_.clock.monotonic_now() >= exchange.deadline) {
      return {ErrorCode::Timeout, "no answer within the request's deadline"};
    }
    core_.changed->wait_until(core_.mutex, exchange.deadline);
  }
  return check_network();
}

Result<kube::HttpResponse> Connection::serve_exchange(Exchange& exchange) {
  ApiWorld& world = core_.world;
  kube::HttpResponse response;
  if (exchange.has_fault(Fault::Kind::Answer)) {
    response = to_response(exchange.fault->failure);
  } else {
    response = serve(world.storage, world.verbs, client_, exchange.path, exchange.request);
    if (world.collects_garbage) {
      collect_garbage(world.storage);
    }
  }
  const bool is_dropped = exchange.has_fault(Fault::Kind::DropAnswer);
  record(exchange, response.status, !is_dropped);
  if (is_dropped) {
    return broken_connection();
  }
  give_others_a_turn();
  if (auto status = wait_for_hold(exchange, HoldPoint::BeforeAnswering); !status) {
    return status.error();
  }
  if (auto status = wait_while_frozen(exchange); !status) {
    return status.error();
  }
  return response;
}

Result<kube::StreamResponse> Connection::serve_watch(Exchange& exchange) {
  ApiWorld& world = core_.world;
  if (exchange.has_fault(Fault::Kind::DropAnswer)) {
    return broken_connection();
  }
  if (exchange.has_fault(Fault::Kind::Answer)) {
    return as_stream(to_response(exchange.fault->failure));
  }
  auto start = prepare_watch(world.storage, world.verbs, exchange.path);
  if (!start) {
    return as_stream(start.error().code == 404 ? page_not_found() : to_response(start.error()));
  }
  const bool is_gone = start->revision != 0 && start->revision < start->table->compacted_revision &&
                       !exchange.path.flag("sendInitialEvents");
  if (is_gone && world.gone_as_status) {
    return as_stream(to_response(expired("too old resource version: " + std::to_string(start->revision))));
  }
  std::optional<std::size_t> cut;
  if (exchange.has_fault(Fault::Kind::CutStream)) {
    cut = exchange.fault->bytes;
  }
  WatchFeed feed(*start->table, std::move(start->selector), start->revision, exchange.path);
  kube::StreamResponse response{200, {{"content-type", "application/json"}}, nullptr};
  response.body = std::make_unique<WatchStream>(core_, WatchStream::Owner{client_, this}, std::move(feed),
                                                start->timeout, cut);
  return response;
}

void Connection::record(const Exchange& exchange, int status, bool was_answered) {
  if (is_write(exchange.method)) {
    core_.world.writes.push_back({client_, exchange.request.method, exchange.request.path, status,
                                  was_answered, core_.clock.monotonic_now()});
  }
}

}  // namespace convoke::fakes
