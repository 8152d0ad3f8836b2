// HttpServer over Boost.Beast: one thread and one io_context for all that goes over the network, so that no
// state here needs a lock; handlers may have threads of their own. Every exception and error code of Boost
// ends in this folder.
#include <memory>
#include <unordered_map>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "controller/serve/address.h"
#include "controller/serve/beast_session.h"
#include "controller/serve/http_server.h"
#include "controller/serve/request_workers.h"
#include "controller/serve/server_tls.h"

namespace convoke::serve {

namespace {

using namespace internal;

// How long accepting rests after it failed (no file descriptors left, most likely).
constexpr std::chrono::milliseconds kAcceptRest{100};

class BeastServer final : public HttpServer, public SessionOwner {
 public:
  BeastServer(Clock& clock, std::string address, ServeHandler handler, HttpServerOptions options)
      : clock_(clock), address_(std::move(address)), handler_(std::move(handler)), options_(options) {}
  ~BeastServer() override { stop(); }

  Status start() override {
    const auto address = parse_listen_address(address_);
    if (!address) return address.error();
    if (options_.tls) {
      tls_ = std::make_unique<ServerTls>(clock_, *options_.tls, options_.on_tls_problem);
      if (auto loaded = tls_->load(); !loaded) return loaded;
    }
    if (auto bound = listen(*address); !bound) return bound;
    accept();
    if (options_.workers > 0) workers_ = std::make_unique<RequestWorkers>(clock_, options_.workers);
    thread_ = clock_.start_thread("http", [this] { io_.run(); });
    return {};
  }

  void stop() override {
    if (!thread_) return;
    asio::post(io_, [this] { begin_stop(); });
    thread_->join();
    thread_.reset();
    workers_.reset();
  }

  int port() const override { return port_; }

 private:
  Status listen(const ListenAddress& address) {
    beast::error_code error;
    if (address.host.empty()) {
      // All interfaces: IPv6 and IPv4 on one socket, or IPv4 alone where the kernel has no IPv6.
      error = bind(tcp::endpoint(tcp::v6(), address.port));
      if (error) error = bind(tcp::endpoint(tcp::v4(), address.port));
    } else {
      const auto ip = asio::ip::make_address(address.host, error);
      if (error)
        return Error{ErrorCode::Invalid, "address \"" + address_ + "\": the host is not an IP address"};
      error = bind(tcp::endpoint(ip, address.port));
    }
    if (error)
      return Error{ErrorCode::Unavailable, "cannot listen on \"" + address_ + "\": " + error.message()};
    return {};
  }

  beast::error_code bind(const tcp::endpoint& endpoint) {
    beast::error_code error;
    beast::error_code ignored;
    acceptor_.close(ignored);
    acceptor_.open(endpoint.protocol(), error);
    if (error) return error;
    acceptor_.set_option(asio::socket_base::reuse_address(true), ignored);
    if (endpoint.address().is_v6() && endpoint.address().is_unspecified()) {
      acceptor_.set_option(asio::ip::v6_only(false), ignored);
    }
    acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    return error;
  }

  void accept() {
    if (accepting_ || stopping_ || sessions_.size() >= options_.max_connections) return;
    accepting_ = true;
    acceptor_.async_accept([this](beast::error_code error, tcp::socket socket) {
      accepting_ = false;
      if (stopping_) return;
      if (error) return rest();
      if (tls_) {
        const auto context = tls_->current();
        add_session(TlsStream(beast::tcp_stream(std::move(socket)), *context), context);
      } else {
        add_session(beast::tcp_stream(std::move(socket)), nullptr);
      }
      accept();
    });
  }

  template <class Stream>
  void add_session(Stream stream, std::shared_ptr<void> keep) {
    auto session = std::make_shared<Session<Stream>>(std::move(stream), std::move(keep), *this, options_);
    sessions_.emplace(session.get(), session.get());
    session->begin();
  }

  void rest() {
    rest_.expires_after(kAcceptRest);
    rest_.async_wait([this](beast::error_code error) {
      if (!error) accept();
    });
  }

  void begin_stop() {
    stopping_ = true;
    beast::error_code ignored;
    acceptor_.close(ignored);
    rest_.cancel();
    for (const auto& [id, session] : sessions_) session->finish();
  }

  void answer(ServeRequest request, std::function<void(ServeResponse)> done) override {
    if (!workers_) return done(ask_handler(request));
    // The guard keeps the server's thread until the answer is there.
    workers_->add([this, request = std::move(request), done = std::move(done),
                   guard = asio::make_work_guard(io_)]() mutable {
      asio::post(io_, [done = std::move(done), response = ask_handler(request)]() mutable {
        done(std::move(response));
      });
      guard.reset();
    });
  }

  ServeResponse ask_handler(const ServeRequest& request) {
    try {
      return handler_(request);
    } catch (const std::exception& error) {
      return {500, kPlainText, std::string("internal error: ") + error.what() + "\n"};
    }
  }

  void ended(const SessionBase* session) override {
    sessions_.erase(session);
    accept();
  }

  Clock& clock_;
  const std::string address_;
  const ServeHandler handler_;
  const HttpServerOptions options_;

  asio::io_context io_{1};
  tcp::acceptor acceptor_{io_};
  asio::steady_timer rest_{io_};
  std::unordered_map<const SessionBase*, SessionBase*> sessions_;  // each lives until it says that it ended
  bool accepting_ = false;
  bool stopping_ = false;
  int port_ = 0;
  std::unique_ptr<ServerTls> tls_;
  std::unique_ptr<RequestWorkers> workers_;
  std::unique_ptr<Thread> thread_;
};

}  // namespace

std::unique_ptr<HttpServer> make_http_server(Clock& clock, const std::string& address, ServeHandler handler,
                                             HttpServerOptions options) {
  return std::make_unique<BeastServer>(clock, address, std::move(handler), options);
}

}  // namespace convoke::serve
