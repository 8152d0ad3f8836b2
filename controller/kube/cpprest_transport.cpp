#include "controller/kube/cpprest_transport.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "controller/base/mutex.h"
#include "controller/kube/child_environment.h"
#include "controller/kube/cpprest_client.h"
#include "controller/kube/credentials.h"
#include "controller/kube/exchange.h"

namespace convoke::kube {
namespace {

using std::chrono::seconds;

// cpprestsdk's timeout counts from the last byte.
constexpr seconds kUnaryIdleTimeout{10};
constexpr std::size_t kUnaryLimitBytes = 64UL * 1024 * 1024;
constexpr std::size_t kStreamLimitBytes = 256UL * 1024;
constexpr Duration kLeaveWithin = seconds(5);
constexpr int kUnauthorized = 401;

// The exchanges in progress, so that shutdown can end them and the end can wait for them. Thread-safe.
class InFlight {
 public:
  explicit InFlight(Clock& clock) : clock_(clock), changed_(clock.make_condition()) {}

  // Null once it is closed.
  std::shared_ptr<Exchange> begin(const std::shared_ptr<InFlight>& self, BodyPolicy policy,
                                  std::size_t limit) {
    const MutexLock lock(mutex_);
    if (closed_) return nullptr;
    std::shared_ptr<Exchange> exchange(new Exchange(clock_, policy, limit), [self](Exchange* ended) {
      self->forget(ended);
      delete ended;
    });
    exchanges_.push_back({exchange.get(), exchange});
    return exchange;
  }

  void cancel_all() {
    std::vector<std::shared_ptr<Exchange>> living;
    {
      const MutexLock lock(mutex_);
      closed_ = true;
      for (const auto& entry : exchanges_) {
        if (auto exchange = entry.living.lock()) living.push_back(std::move(exchange));
      }
    }
    for (const auto& exchange : living) exchange->cancel();
  }

  void wait_until_empty(MonotonicTime deadline) {
    const MutexLock lock(mutex_);
    while (!exchanges_.empty() && changed_->wait_until(mutex_, deadline)) {
    }
  }

 private:
  struct Entry {
    const Exchange* key;
    std::weak_ptr<Exchange> living;
  };

  void forget(const Exchange* ended) {
    const MutexLock lock(mutex_);
    const auto found = std::find_if(exchanges_.begin(), exchanges_.end(),
                                    [&](const Entry& entry) { return entry.key == ended; });
    if (found != exchanges_.end()) {
      *found = exchanges_.back();
      exchanges_.pop_back();
    }
    if (exchanges_.empty()) changed_->notify_all();
  }

  Clock& clock_;
  Mutex mutex_;
  std::unique_ptr<Condition> changed_;
  bool closed_ GUARDED_BY(mutex_) = false;
  std::vector<Entry> exchanges_ GUARDED_BY(mutex_);
};

class ExchangeStream final : public BodyStream {
 public:
  explicit ExchangeStream(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  ~ExchangeStream() override { exchange_->cancel(); }
  Result<std::string> read() override { return exchange_->read(); }
  void cancel() override { exchange_->cancel(); }

 private:
  std::shared_ptr<Exchange> exchange_;
};

// The two clients that share a TLS snapshot.
struct Clients {
  std::shared_ptr<const TlsSnapshot> tls;
  std::unique_ptr<CpprestClient> unary;
  std::unique_ptr<CpprestClient> stream;
};

enum class Kind { Unary, Stream };

class CpprestTransport final : public Transport {
 public:
  CpprestTransport(ServerUrl server, std::unique_ptr<Credentials> credentials, Clock& clock, Logger log,
                   TransportOptions options)
      : server_(std::move(server)),
        credentials_(std::move(credentials)),
        clock_(clock),
        log_(std::move(log)),
        options_(std::move(options)),
        in_flight_(std::make_shared<InFlight>(clock)) {}

  ~CpprestTransport() override {
    in_flight_->cancel_all();
    in_flight_->wait_until_empty(clock_.monotonic_now() + kLeaveWithin);
  }

  Result<HttpResponse> send(const HttpRequest& request) override {
    const auto exchange = exchange_as_ourselves(request, Kind::Unary);
    if (!exchange) return exchange.error();
    return HttpResponse{(*exchange)->status(), (*exchange)->headers(), (*exchange)->take_body()};
  }

  Result<StreamResponse> open_stream(const HttpRequest& request) override {
    const auto exchange = exchange_as_ourselves(request, Kind::Stream);
    if (!exchange) return exchange.error();
    return StreamResponse{(*exchange)->status(), (*exchange)->headers(),
                          std::make_unique<ExchangeStream>(*exchange)};
  }

  void shutdown() override { in_flight_->cancel_all(); }

 private:
  using Answered = Result<std::shared_ptr<Exchange>>;

  // An answer to the request; if it is that we are nobody, looks whether we are somebody else by now.
  Answered exchange_as_ourselves(const HttpRequest& request, Kind kind) {
    const auto deadline = clock_.monotonic_now() + request.deadline;
    auto identity = credentials_->current();
    if (!identity) return identity.error();
    auto exchange = exchange_as(**identity, request, kind, deadline);
    if (!exchange || (*exchange)->status() != kUnauthorized) return exchange;
    const auto renewed = credentials_->after_refusal(*identity);
    if (!renewed || *renewed == *identity) return exchange;
    log_.info("The API server refused our credentials; trying again with renewed ones");
    (*exchange)->cancel();
    return exchange_as(**renewed, request, kind, deadline);
  }

  Answered exchange_as(const Identity& identity, const HttpRequest& request, Kind kind,
                       MonotonicTime deadline) {
    const auto clients = clients_for(identity.tls);
    if (!clients) return clients.error();
    const bool unary = kind == Kind::Unary;
    const auto exchange =
        in_flight_->begin(in_flight_, unary ? BodyPolicy::RefuseBeyondLimit : BodyPolicy::HoldBackBeyondLimit,
                          unary ? kUnaryLimitBytes : kStreamLimitBytes);
    if (exchange == nullptr) return {ErrorCode::Cancelled, "the transport is shut down"};
    auto& client = unary ? *(*clients)->unary : *(*clients)->stream;
    client.start(request, options_.user_agent, identity.authorization, exchange);
    if (auto headers = exchange->wait_for_headers(deadline); !headers) return headers.error();
    // The body of an error is short, and its reader wants it whole.
    if (unary || exchange->status() >= 300) {
      if (auto body = exchange->wait_for_body(deadline); !body) return body.error();
    }
    return exchange;
  }

  Result<std::shared_ptr<const Clients>> clients_for(const std::shared_ptr<const TlsSnapshot>& tls) {
    const MutexLock lock(mutex_);
    if (clients_ != nullptr && clients_->tls == tls) return clients_;
    auto unary = CpprestClient::make(server_, tls, kUnaryIdleTimeout);
    if (!unary) return unary.error();
    auto stream = CpprestClient::make(server_, tls, options_.stream_idle_timeout);
    if (!stream) return stream.error();
    clients_ = std::make_shared<const Clients>(Clients{tls, std::move(*unary), std::move(*stream)});
    return clients_;
  }

  const ServerUrl server_;
  const std::unique_ptr<Credentials> credentials_;
  Clock& clock_;
  const Logger log_;
  const TransportOptions options_;
  const std::shared_ptr<InFlight> in_flight_;
  Mutex mutex_;
  std::shared_ptr<const Clients> clients_ GUARDED_BY(mutex_);
};

}  // namespace

Result<std::unique_ptr<Transport>> make_cpprest_transport(const ClusterConfig& config, Clock& clock,
                                                          Logger log, TransportOptions options) {
  const auto server = parse_server_url(config.server);
  if (!server) return server.error().with_context(config.source);
  if (!server->https || !config.certificate_authority.empty()) skip_system_ca_bundle();
  CpprestClient::start_pool(options.pool_threads);
  auto credentials = Credentials::make(config, clock, log, make_plugin_runner(clock));
  if (!credentials) return credentials.error();
  return std::unique_ptr<Transport>(
      new CpprestTransport(*server, std::move(*credentials), clock, std::move(log), std::move(options)));
}

}  // namespace convoke::kube
