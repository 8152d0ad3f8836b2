// One connection of the server in beast_server.cpp, which alone includes this: read a request, have it
// answered, write the answer, and again. Over TCP or TLS.
//
// Everything here runs on the server's thread. A session keeps itself alive through the pending operation.
#pragma once

#include <algorithm>
#include <cctype>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include "controller/serve/http_server.h"

namespace convoke::serve::internal {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

inline constexpr char kPlainText[] = "text/plain; charset=utf-8";
// How much of a refused request is read away, so that the client sees the answer before the connection
// breaks.
inline constexpr std::size_t kMaxDrainBytes = 65'536;

class SessionBase {
 public:
  virtual ~SessionBase() = default;
  // Ends at once if idle, else after the answer that is being made or written.
  virtual void finish() = 0;
};

// What sessions need of the server that they belong to.
class SessionOwner {
 public:
  virtual ~SessionOwner() = default;
  // Calls `done` on the server's thread.
  virtual void answer(ServeRequest request, std::function<void(ServeResponse)> done) = 0;
  virtual void ended(const SessionBase* session) = 0;
};

inline std::string to_lower(beast::string_view text) {
  std::string lower(text.data(), text.size());
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return lower;
}

inline ServeRequest to_serve_request(http::request<http::string_body>& request) {
  const std::string target(request.target());
  const auto mark = target.find('?');
  ServeRequest out{std::string(request.method_string()), target.substr(0, mark), {}};
  if (mark != std::string::npos) out.query = target.substr(mark + 1);
  for (const auto& field : request) {
    std::string& value = out.headers[to_lower(field.name_string())];
    value += (value.empty() ? "" : ", ") + std::string(field.value());
  }
  out.body = std::move(request.body());
  return out;
}

// The status for a request that could not be read; none for a connection that just ended.
inline std::optional<http::status> status_of(beast::error_code error) {
  if (error == http::error::header_limit) return http::status::request_header_fields_too_large;
  if (error == http::error::body_limit || error == http::error::unexpected_body) {
    return http::status::payload_too_large;
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
  if (error.category() == http::make_error_code(http::error::bad_method).category())
    return http::status::bad_request;
  return std::nullopt;
}

// `Stream` is beast::tcp_stream or TlsStream.
template <class Stream>
class Session final : public SessionBase, public std::enable_shared_from_this<Session<Stream>> {
  static constexpr bool kSecured = std::is_same_v<Stream, TlsStream>;

 public:
  // `keep` outlives the stream: its SSL context.
  Session(Stream stream, std::shared_ptr<void> keep, SessionOwner& owner, const HttpServerOptions& options)
      : keep_(std::move(keep)), stream_(std::move(stream)), owner_(owner), options_(options) {}

  void begin() {
    if constexpr (kSecured) {
      socket().expires_after(options_.timeout);
      reading_ = true;
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](beast::error_code error) {
                                self->reading_ = false;
                                if (error || self->finishing_) return self->close();
                                self->read();
                              });
    } else {
      read();
    }
  }

  void finish() override {
    finishing_ = true;
    if (reading_) socket().cancel();
  }

 private:
  beast::tcp_stream& socket() { return beast::get_lowest_layer(stream_); }

  void read() {
    parser_.emplace();
    parser_->header_limit(options_.max_header_bytes);
    parser_->body_limit(options_.max_body_bytes);
    // One deadline for the whole request, however slowly its bytes drip in.
    socket().expires_after(options_.timeout);
    reading_ = true;
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = this->shared_from_this()](beast::error_code error, std::size_t) {
                              if (error) return self->on_read(error);
                              self->on_header();
                            });
  }

  // Who waits for a "100 Continue" gets it, unless the body is refused already.
  void on_header() {
    const bool waits = beast::iequals(parser_->get()[http::field::expect], "100-continue");
    if (!waits || options_.max_body_bytes == 0) return read_body();
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(kContinue),
                      [self = this->shared_from_this()](beast::error_code error, std::size_t) {
                        if (error) return self->on_read(error);
                        self->read_body();
                      });
  }

  void read_body() {
    http::async_read(
        stream_, buffer_, *parser_,
        [self = this->shared_from_this()](beast::error_code error, std::size_t) { self->on_read(error); });
  }

  void on_read(beast::error_code error) {
    reading_ = false;
    if (error) {
      const auto status = finishing_ ? std::nullopt : status_of(error);
      if (!status) return end();
      const std::string reason(http::obsolete_reason(*status));
      refused_ = true;
      return write(make_response({static_cast<int>(*status), kPlainText, reason + "\n"}, false, false));
    }
    auto& request = parser_->get();
    keep_alive_ = request.keep_alive() && !finishing_;
    head_ = request.method() == http::verb::head;
    const bool posts = options_.max_body_bytes > 0;
    if (!head_ && request.method() != http::verb::get && !(posts && request.method() == http::verb::post)) {
      const std::string allowed = posts ? "GET, HEAD, POST" : "GET, HEAD";
      return write(
          make_response({405,
                         kPlainText,
                         posts ? "only GET, HEAD and POST are served\n" : "only GET and HEAD are served\n",
                         {{"Allow", allowed}}},
                        keep_alive_, false));
    }
    owner_.answer(to_serve_request(request), [self = this->shared_from_this()](ServeResponse answer) {
      self->write(make_response(std::move(answer), self->keep_alive_ && !self->finishing_, self->head_));
    });
  }

  static http::response<http::string_body> make_response(ServeResponse answer, bool keep_alive, bool head) {
    http::response<http::string_body> response;
    response.version(11);
    response.result(static_cast<unsigned>(answer.status));
    response.set(http::field::content_type, answer.content_type);
    response.set(http::field::cache_control, "no-store");
    response.set("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : answer.headers) response.set(name, value);
    response.content_length(answer.body.size());
    response.keep_alive(keep_alive);
    if (!head) response.body() = std::move(answer.body);
    return response;
  }

  void write(http::response<http::string_body> response) {
    response_ = std::move(response);
    socket().expires_after(options_.timeout);
    http::async_write(
        stream_, *response_,
        [self = this->shared_from_this()](beast::error_code error, std::size_t) { self->on_written(error); });
  }

  void on_written(beast::error_code error) {
    const bool again = !error && response_->keep_alive() && !finishing_;
    response_.reset();
    if (again) return read();
    if (error || !refused_) return end();
    if constexpr (!kSecured) {
      beast::error_code ignored;
      socket().socket().shutdown(tcp::socket::shutdown_send, ignored);
    }
    drain(0);
  }

  void drain(std::size_t drained) {
    if (drained > kMaxDrainBytes || finishing_) return end();
    buffer_.clear();
    reading_ = true;
    stream_.async_read_some(
        buffer_.prepare(options_.max_header_bytes),
        [self = this->shared_from_this(), drained](beast::error_code error, std::size_t bytes) {
          self->reading_ = false;
          if (error) return self->end();
          self->drain(drained + bytes);
        });
  }

  void end() {
    if constexpr (kSecured) {
      // For the client to end its side too.
      socket().expires_after(std::min(options_.timeout, std::chrono::milliseconds(1000)));
      stream_.async_shutdown([self = this->shared_from_this()](beast::error_code) { self->close(); });
    } else {
      close();
    }
  }

  void close() {
    beast::error_code ignored;
    socket().socket().shutdown(tcp::socket::shutdown_send, ignored);
    socket().close();
    owner_.ended(this);
  }

  const std::shared_ptr<void> keep_;
  Stream stream_;
  SessionOwner& owner_;
  const HttpServerOptions& options_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> response_;
  bool reading_ = false;
  bool finishing_ = false;
  bool refused_ = false;
  bool keep_alive_ = false;
  bool head_ = false;
};

}  // namespace convoke::serve::internal
