// HttpServer over Boost.Beast: one thread, one io_context, so that no state here needs a lock. Every
// exception and error code of Boost ends in this file.
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "controller/serve/address.h"
#include "controller/serve/http_server.h"

namespace convoke::serve {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

// How long accepting rests after it failed (no file descriptors left, most likely).
constexpr std::chrono::milliseconds kAcceptRest{100};

constexpr char kPlainText[] = "text/plain; charset=utf-8";
// How much of a refused request is read away, so that the client sees the answer before the connection
// breaks.
constexpr std::size_t kMaxDrainBytes = 65'536;

// What sessions need of the server that they belong to.
class SessionOwner {
 public:
  virtual ~SessionOwner() = default;
  virtual ServeResponse answer(const ServeRequest& request) = 0;
  virtual void ended(const void* session) = 0;
};

ServeRequest to_serve_request(const http::request<http::empty_body>& request) {
  const std::string target(request.target());
  const auto mark = target.find('?');
  ServeRequest out{std::string(request.method_string()), target.substr(0, mark), {}};
  if (mark != std::string::npos) out.query = target.substr(mark + 1);
  return out;
}

// The status for a request that could not be read; none for a connection that just ended.
std::optional<http::status> status_of(beast::error_code error) {
  if (error == http::error::header_limit) return http::status::request_header_fields_too_large;
  if (error == http::error::body_limit || error == http::error::unexpected_body) {
    return http::status::payload_too_large;
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
  if (error.category() == http::make_error_code(http::error::bad_method).category())
    return http::status::bad_request;
  return std::nullopt;
}

// One connection: read a request, write its answer, and again. Keeps itself alive through the pending
// operation.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, SessionOwner& owner, const HttpServerOptions& options)
      : stream_(std::move(socket)), owner_(owner), options_(options) {}

  void read() {
    parser_.emplace();
    parser_->header_limit(options_.max_header_bytes);
    parser_->body_limit(0);
    // One deadline for the whole request, however slowly its bytes drip in.
    stream_.expires_after(options_.timeout);
    reading_ = true;
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](beast::error_code error, std::size_t) { self->on_read(error); });
  }

  // Ends at once if idle, else after the answer that is being written.
  void finish() {
    finishing_ = true;
    if (reading_) stream_.cancel();
  }

 private:
  void on_read(beast::error_code error) {
    reading_ = false;
    if (error) {
      const auto status = finishing_ ? std::nullopt : status_of(error);
      if (!status) return end();
      const std::string reason(http::obsolete_reason(*status));
      refused_ = true;
      return write(make_response({static_cast<int>(*status), kPlainText, reason + "\n"}, false, false));
    }
    const auto& request = parser_->get();
    const bool keep_alive = request.keep_alive() && !finishing_;
    const bool head = request.method() == http::verb::head;
    if (!head && request.method() != http::verb::get) {
      auto response = make_response({405, kPlainText, "only GET and HEAD are served\n"}, keep_alive, false);
      response.set(http::field::allow, "GET, HEAD");
      return write(std::move(response));
    }
    write(make_response(owner_.answer(to_serve_request(request)), keep_alive, head));
  }

  static http::response<http::string_body> make_response(ServeResponse answer, bool keep_alive, bool head) {
    http::response<http::string_body> response;
    response.version(11);
    response.result(static_cast<unsigned>(answer.status));
    response.set(http::field::content_type, answer.content_type);
    response.set(http::field::cache_control, "no-store");
    response.set("X-Content-Type-Options", "nosniff");
    response.content_length(answer.body.size());
    response.keep_alive(keep_alive);
    if (!head) response.body() = std::move(answer.body);
    return response;
  }

  void write(http::response<http::string_body> response) {
    response_ = std::move(response);
    stream_.expires_after(options_.timeout);
    http::async_write(stream_, *response_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      self->on_written(error);
    });
  }

  void on_written(beast::error_code error) {
    const bool again = !error && response_->keep_alive() && !finishing_;
    response_.reset();
    if (again) return read();
    if (error || !refused_) return end();
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    drain(0);
  }

  void drain(std::size_t drained) {
    if (drained > kMaxDrainBytes || finishing_) return end();
    buffer_.clear();
    reading_ = true;
    stream_.async_read_some(buffer_.prepare(options_.max_header_bytes),
                            [self = shared_from_this(), drained](beast::error_code error, std::size_t bytes) {
                              self->reading_ = false;
                              if (error) return self->end();
                              self->drain(drained + bytes);
                            });
  }

  void end() {
    beast::error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.close();
    owner_.ended(this);
  }

  beast::tcp_stream stream_;
  SessionOwner& owner_;
  const HttpServerOptions& options_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::empty_body>> parser_;
  std::optional<http::response<http::string_body>> response_;
  bool reading_ = false;
  bool finishing_ = false;
  bool refused_ = false;
};

class BeastServer final : public HttpServer, public SessionOwner {
 public:
  BeastServer(Clock& clock, std::string address, ServeHandler handler, HttpServerOptions options)
      : clock_(clock), address_(std::move(address)), handler_(std::move(handler)), options_(options) {}
  ~BeastServer() override { stop(); }

  Status start() override {
    const auto address = parse_listen_address(address_);
    if (!address) return address.error();
    if (auto bound = listen(*address); !bound) return bound;
    accept();
    thread_ = clock_.start_thread("http", [this] { io_.run(); });
    return {};
  }

  void stop() override {
    if (!thread_) return;
    asio::post(io_, [this] { begin_stop(); });
    thread_->join();
    thread_.reset();
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
      auto session = std::make_shared<Session>(std::move(socket), *this, options_);
      sessions_.emplace(session.get(), session.get());
      session->read();
      accept();
    });
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

  ServeResponse answer(const ServeRequest& request) override {
    try {
      return handler_(request);
    } catch (const std::exception& error) {
      return {500, kPlainText, std::string("internal error: ") + error.what() + "\n"};
    }
  }

  void ended(const void* session) override {
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
  std::unordered_map<const void*, Session*> sessions_;  // each lives until it says that it ended
  bool accepting_ = false;
  bool stopping_ = false;
  int port_ = 0;
  std::unique_ptr<Thread> thread_;
};

}  // namespace

std::unique_ptr<HttpServer> make_http_server(Clock& clock, const std::string& address, ServeHandler handler,
                                             HttpServerOptions options) {
  return std::make_unique<BeastServer>(clock, address, std::move(handler), options);
}

}  // namespace convoke::serve
