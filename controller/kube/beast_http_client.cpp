#include "controller/kube/beast_http_client.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstring>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <netdb.h>

#include "controller/base/time_format.h"
#include "controller/kube/tls.h"

namespace convoke::kube {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using SslStream = asio::ssl::stream<tcp::socket>;

constexpr std::size_t kMaxSnapshots = 64;
constexpr int kMaxInterimAnswers = 5;
// For each address of a host but its last.
constexpr Duration kConnectPatience = std::chrono::seconds(3);

// The loop of one request. Shared with who may cancel it.
struct Loop {
  asio::io_context io{1};
  std::atomic<bool> cancelled{false};

  void cancel() {
    cancelled = true;
    io.stop();
  }
};

Error not_connected(ErrorCode code, std::string message) {
  return {code, std::move(message), kNotConnected};
}

std::string host_header(const ServerUrl& server) {
  const std::string host = server.is_ipv6() ? "[" + server.host + "]" : server.host;
  const bool usual_port = server.port == (server.https ? 443 : 80);
  return usual_port ? host : host + ":" + std::to_string(server.port);
}

std::string lower_case(boost::beast::string_view name) {
  std::string lower(name.data(), name.size());
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

http::request<http::string_body> make_message(const HttpTarget& target, const HttpRequest& request,
                                              const std::string& user_agent) {
  http::request<http::string_body> message;
  message.method_string(request.method);
  message.target(request.path);
  message.version(11);
  message.set(http::field::host, host_header(target.server));
  message.set(http::field::user_agent, user_agent);
  message.set(http::field::accept, "application/json");
  for (const auto& [name, value] : request.headers) message.set(name, value);
  if (!request.content_type.empty()) message.set(http::field::content_type, request.content_type);
  message.body() = request.body;
  message.keep_alive(false);
  message.prepare_payload();
  return message;
}

// One request, from the connection to the end of the answer.
class Session {
 public:
  Session(Clock& clock, const HttpClientOptions& options, const HttpTarget& target,
          const HttpRequest& request, std::shared_ptr<const TlsSnapshot> tls, Loop& loop)
      : clock_(clock),
        options_(options),
        target_(target),
        request_(request),
        tls_(std::move(tls)),
        loop_(loop),
        socket_(loop.io),
        deadline_(clock.monotonic_now() + request.deadline) {}

  Result<HttpResponse> run() {
    const auto addresses = resolve();
    if (!addresses) return addresses.error();
    if (auto connected = connect(*addresses); !connected) return connected.error();
    if (tls_ == nullptr) return exchange(socket_);
    return exchange_secured();
  }

 private:
  std::string prefix() const { return "no answer from " + target_.server.authority() + ": "; }

  // Runs one asynchronous step to its end. None: its end did not come in time, or it was cancelled; then the
  // step is still under way, until its stream is closed.
  template <class Start>
  std::optional<error_code> await(MonotonicTime deadline, Start start) {
    const auto result = std::make_shared<std::optional<error_code>>();
    loop_.io.restart();
    if (loop_.cancelled) return {};
    start([result](const error_code& error, const auto&...) { *result = error; });
    loop_.io.run_for(std::max(deadline - clock_.monotonic_now(), Duration::zero()));
    return *result;
  }

  Error unfinished() const {
    if (loop_.cancelled) return {ErrorCode::Cancelled, "the request was cancelled"};
    return {ErrorCode::Timeout, prefix() + "nothing complete within " + human_duration(request_.deadline)};
  }

  Result<std::vector<tcp::endpoint>> resolve() const {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string& host = target_.server.host;
    if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) {
      return not_connected(ErrorCode::Unavailable, prefix() + "the host name cannot be resolved");
    }
    std::vector<tcp::endpoint> endpoints;
    std::string objection;
    for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
      tcp::endpoint endpoint;
      std::memcpy(endpoint.data(), entry->ai_addr,
                  std::min<std::size_t>(entry->ai_addrlen, endpoint.capacity()));
      endpoint.port(static_cast<unsigned short>(target_.server.port));
      const std::string why = address_objection(endpoint.address().to_string(), options_.allow_loopback);
      if (why.empty()) {
        endpoints.push_back(endpoint);
      } else {
        objection = host + ": " + why;
      }
    }
    freeaddrinfo(found);
    if (endpoints.empty()) return not_connected(ErrorCode::Invalid, objection);
    return endpoints;
  }

  Status connect(const std::vector<tcp::endpoint>& endpoints) {
    error_code last;
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
      const bool is_last = i + 1 == endpoints.size();
      const MonotonicTime patience = clock_.monotonic_now() + kConnectPatience;
      const auto connected = await(is_last ? deadline_ : std::min(deadline_, patience),
                                   [&](auto handler) { socket_.async_connect(endpoints[i], handler); });
      if (connected && !*connected) return {};
      if (!connected && (is_last || loop_.cancelled)) {
        Error error = unfinished();
        error.reason = kNotConnected;
        return error;
      }
      last = connected.value_or(asio::error::timed_out);
      error_code ignored;
      socket_.close(ignored);
    }
    return not_connected(ErrorCode::Unavailable, prefix() + lower_first(last.message()));
  }

  static std::string lower_first(std::string text) {
    if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    return text;
  }

  Result<HttpResponse> exchange_secured() {
    asio::ssl::context context(asio::ssl::context::tls_client);
    tls_->apply(context.native_handle());
    context.set_verify_mode(asio::ssl::verify_peer);
    SslStream stream(std::move(socket_), context);
    tls_->set_server_name_indication(stream.native_handle());
    const auto shaken = await(
        deadline_, [&](auto handler) { stream.async_handshake(asio::ssl::stream_base::client, handler); });
    if (!shaken || *shaken) {
      const std::string refusal = tls_->last_refusal();
      Error error =
          shaken ? not_connected(ErrorCode::Unavailable,
                                 prefix() + shaken->message() + (refusal.empty() ? "" : " (" + refusal + ")"))
                 : unfinished();
      error.reason = kNotConnected;
      return error;
    }
    return exchange(stream);
  }

  template <class Stream>
  Result<HttpResponse> exchange(Stream& stream) {
    auto message = make_message(target_, request_, options_.user_agent);
    const auto sent = await(deadline_, [&](auto handler) { http::async_write(stream, message, handler); });
    if (!sent) return unfinished();
    // Who refuses a request before it is whole may have answered all the same.
    boost::beast::flat_buffer buffer(options_.max_header_bytes + 8192);
    for (int interim = 0; interim <= kMaxInterimAnswers; ++interim) {
      http::response_parser<http::string_body> parser;
      parser.header_limit(static_cast<std::uint32_t>(options_.max_header_bytes));
      parser.body_limit(options_.max_body_bytes);
      const auto read =
          await(deadline_, [&](auto handler) { http::async_read(stream, buffer, parser, handler); });
      if (!read) return unfinished();
      if (*read) return read_failed(*read);
      if (parser.get().result_int() >= 200) return to_response(parser.get());
    }
    return {ErrorCode::Invalid, prefix() + "too many interim answers"};
  }

  Error read_failed(const error_code& error) const {
    const std::string from = "the answer of " + target_.server.authority();
    if (error == http::error::body_limit) {
      return {ErrorCode::Invalid,
              from + " is larger than " + std::to_string(options_.max_body_bytes) + " bytes"};
    }
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return {ErrorCode::Invalid,
              from + " has headers of more than " + std::to_string(options_.max_header_bytes) + " bytes"};
    }
    const bool broke_off = error == http::error::end_of_stream || error == http::error::partial_message;
    if (error.category() == make_error_code(http::error::end_of_stream).category() && !broke_off) {
      return {ErrorCode::Invalid, from + " is not HTTP: " + error.message()};
    }
    return {ErrorCode::Unavailable, prefix() + "the connection broke: " + error.message()};
  }

  static HttpResponse to_response(http::response<http::string_body>& message) {
    HttpResponse response;
    response.status = static_cast<int>(message.result_int());
    for (const auto& field : message) {
      response.headers[lower_case(field.name_string())] =
          std::string(field.value().data(), field.value().size());
    }
    response.body = std::move(message.body());
    return response;
  }

  Clock& clock_;
  const HttpClientOptions& options_;
  const HttpTarget& target_;
  const HttpRequest& request_;
  const std::shared_ptr<const TlsSnapshot> tls_;
  Loop& loop_;
  tcp::socket socket_;
  const MonotonicTime deadline_;
};

class BeastHttpClient final : public HttpClient {
 public:
  BeastHttpClient(Clock& clock, HttpClientOptions options) : clock_(clock), options_(std::move(options)) {}

  Result<HttpResponse> send(const HttpTarget& target, const HttpRequest& request,
                            HttpCancel& cancel) override {
    std::shared_ptr<const TlsSnapshot> tls;
    if (target.server.https) {
      auto made = snapshot(target);
      if (!made) return not_connected(ErrorCode::Invalid, made.error().message);
      tls = std::move(*made);
    }
    const auto loop = std::make_shared<Loop>();
    cancel.on_cancel([loop] { loop->cancel(); });
    if (cancel.cancelled()) return not_connected(ErrorCode::Cancelled, "the request was cancelled");
    auto answer = send_in(*loop, target, request, std::move(tls));
    cancel.on_cancel({});
    return answer;
  }

 private:
  Result<HttpResponse> send_in(Loop& loop, const HttpTarget& target, const HttpRequest& request,
                               std::shared_ptr<const TlsSnapshot> tls) {
    try {
      return Session(clock_, options_, target, request, std::move(tls), loop).run();
    } catch (const std::exception& error) {
      return {ErrorCode::Internal, "no answer from " + target.server.authority() + ": " + error.what()};
    }
  }

  // Parsing CAs takes milliseconds, so it is done once for each.
  Result<std::shared_ptr<const TlsSnapshot>> snapshot(const HttpTarget& target) {
    const std::pair key(target.server.host, target.ca_pem);
    {
      const MutexLock lock(mutex_);
      const auto known = snapshots_.find(key);
      if (known != snapshots_.end()) return known->second;
    }
    TlsInputs inputs;
    inputs.ca_pem = target.ca_pem;
    inputs.server_name = target.server.host;
    auto made = TlsSnapshot::make(inputs);
    if (!made) return made.error();
    const MutexLock lock(mutex_);
    if (snapshots_.size() >= kMaxSnapshots) snapshots_.clear();
    snapshots_[key] = *made;
    return made;
  }

  Clock& clock_;
  const HttpClientOptions options_;
  Mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const TlsSnapshot>> snapshots_
      GUARDED_BY(mutex_);
};

bool is_metadata_service(const asio::ip::address_v6& address) {
  return address == asio::ip::make_address_v6("fd00:ec2::254");
}

}  // namespace

std::string address_objection(const std::string& text, bool allow_loopback) {
  error_code error;
  auto address = asio::ip::make_address(text, error);
  if (error) return text + " is no IP address";
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  if (address.is_loopback()) {
    return allow_loopback ? "" : text + " is a loopback address, which dispatch.allowLoopback does not allow";
  }
  const bool link_local = address.is_v4()
                              ? (address.to_v4().to_uint() >> 16U) == 0xa9feU
                              : address.to_v6().is_link_local() || is_metadata_service(address.to_v6());
  if (link_local) return text + " is a link-local address, which no agent may have";
  const bool this_network = address.is_v4() && (address.to_v4().to_uint() >> 24U) == 0;
  if (address.is_unspecified() || this_network || address.is_multicast()) {
    return text + " is the address of no host";
  }
  return "";
}

std::unique_ptr<HttpClient> make_beast_http_client(Clock& clock, HttpClientOptions options) {
  return std::make_unique<BeastHttpClient>(clock, std::move(options));
}

}  // namespace convoke::kube
