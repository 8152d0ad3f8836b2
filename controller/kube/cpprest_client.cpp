#include "controller/kube/cpprest_client.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <exception>
#include <string_view>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <pplx/threadpool.h>

#include "controller/base/time_format.h"

namespace convoke::kube {
namespace {

using web::http::http_headers;
using web::http::http_request;
using web::http::http_response;
using web::http::client::http_client_config;
using CpprestSslStream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>;

// Who talks to whom, for messages about a failure.
struct Peer {
  std::string address;
  std::shared_ptr<const TlsSnapshot> tls;
  std::chrono::seconds idle_timeout;
};

web::uri base_uri(const ServerUrl& server) {
  web::uri_builder builder;
  builder.set_scheme(server.https ? "https" : "http").set_host(server.host).set_port(server.port);
  if (!server.path_prefix.empty()) builder.set_path(server.path_prefix);
  return builder.to_uri();
}

http_client_config client_config(const std::shared_ptr<const TlsSnapshot>& tls,
                                 std::chrono::seconds idle_timeout) {
  http_client_config config;
  config.set_timeout(idle_timeout);
  config.set_max_redirects(0);
  if (tls == nullptr) return config;
  // Both callbacks own the snapshot, and each connection's handshake runs while its client's configuration
  // lives.
  config.set_ssl_context_callback(
      [tls](boost::asio::ssl::context& context) { tls->apply(context.native_handle()); });
  config.set_tlsext_sni_enabled(false);  // cpprestsdk would send the Host header, port and brackets included
  config.set_nativehandle_options([tls](void* stream) {
    tls->set_server_name_indication(static_cast<CpprestSslStream*>(stream)->native_handle());
  });
  config.set_validate_certificates(!tls->insecure());
  return config;
}

std::map<std::string, std::string> lower_case(const http_headers& headers) {
  std::map<std::string, std::string> result;
  for (const auto& [name, value] : headers) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    result[lower] = value;
  }
  return result;
}

// cpprestsdk keeps the number of an error, but not its category: these are the ones that come from Boost.Asio
// and would be explained wrongly as errno.
std::string explain(const web::http::http_exception& error, const Peer& peer) {
  const int code = error.error_code().value();
  const std::string what = error.what();
  if (code == ETIMEDOUT) return "nothing was heard for " + human_duration(peer.idle_timeout);
  if (const std::string tls = tls_error_text(code); !tls.empty()) {
    const std::string refusal = peer.tls ? peer.tls->last_refusal() : "";
    return what + ": " + tls + (refusal.empty() ? "" : " (" + refusal + ")");
  }
  if (what == "Error resolving address" || what == "Failed to resolve address") {
    return "the host name cannot be resolved";
  }
  if (code == EHOSTUNREACH) return "connection refused";  // what cpprestsdk makes of ECONNREFUSED
  if (code == boost::asio::error::eof || code == ECONNABORTED || code == 1) {
    return what + ": the server closed the connection";
  }
  return code == 0 ? what : what + ": " + error.error_code().message();
}

Error error_from(const std::exception_ptr& failure, const Peer& peer) {
  const std::string prefix = "no answer from " + peer.address + ": ";
  try {
    std::rethrow_exception(failure);
  } catch (const web::http::http_exception& error) {
    return {ErrorCode::Unavailable, prefix + explain(error, peer)};
  } catch (const std::exception& error) {
    return {ErrorCode::Unavailable, prefix + error.what()};
  } catch (...) {
    return {ErrorCode::Internal, prefix + "an unknown exception of cpprestsdk"};
  }
}

// The one place where tasks of pplx are left to themselves. Nobody reads the tasks made here, and an
// exception that nobody reads ends the process: so each continuation reads its antecedent and lets nothing
// out.
void deliver(pplx::task<http_response> response, const std::shared_ptr<Exchange>& exchange,
             const Peer& peer) {
  response.then([exchange, peer](pplx::task<http_response> headers) {
    try {
      const http_response answer = headers.get();
      exchange->on_headers(answer.status_code(), lower_case(answer.headers()));
      answer.content_ready().then([exchange, peer](pplx::task<http_response> body) {
        try {
          body.get();
          exchange->on_end();
        } catch (...) {
          exchange->on_failure(error_from(std::current_exception(), peer));
        }
      });
    } catch (...) {
      exchange->on_failure(error_from(std::current_exception(), peer));
    }
  });
}

http_request make_message(const HttpRequest& request, const ServerUrl& server,
                          const std::shared_ptr<Exchange>& exchange) {
  http_request message(request.method);
  message.set_request_uri(web::uri(request.path));
  message.headers().add("Accept", "application/json");
  // For other hosts cpprestsdk derives the same; it does not know about brackets.
  if (server.is_ipv6()) message.headers().add("Host", server.authority());
  if (!request.body.empty()) {
    message.set_body(make_request_stream(request.body), request.body.size(), request.content_type);
  }
  message.set_response_stream(make_response_stream(exchange));
  return message;
}

}  // namespace

CpprestClient::CpprestClient(const ServerUrl& server, std::shared_ptr<const TlsSnapshot> tls,
                             const http_client_config& config)
    : server_(server),
      tls_(std::move(tls)),
      idle_timeout_(config.timeout<std::chrono::seconds>()),
      client_(base_uri(server), config) {}

Result<std::unique_ptr<CpprestClient>> CpprestClient::make(const ServerUrl& server,
                                                           std::shared_ptr<const TlsSnapshot> tls,
                                                           std::chrono::seconds idle_timeout) {
  try {
    const auto config = client_config(tls, idle_timeout);
    return std::unique_ptr<CpprestClient>(new CpprestClient(server, std::move(tls), config));
  } catch (const std::exception& error) {
    return {ErrorCode::Invalid, "server " + server.authority() + ": " + error.what()};
  }
}

void CpprestClient::start(const HttpRequest& request, const std::string& user_agent,
                          const std::string& authorization, const std::shared_ptr<Exchange>& exchange) {
  const Peer peer{server_.authority(), tls_, idle_timeout_};
  try {
    auto message = make_message(request, server_, exchange);
    message.headers().add("User-Agent", user_agent);
    if (!authorization.empty()) message.headers().add("Authorization", authorization);
    deliver(client_.request(message, exchange->token()), exchange, peer);
  } catch (const std::exception& error) {
    exchange->on_failure({ErrorCode::Invalid, request.method + " " + request.path + ": " + error.what()});
  }
}

void CpprestClient::start_pool(int threads) {
  try {
    crossplat::threadpool::initialize_with_threads(static_cast<std::size_t>(threads));
  } catch (const std::exception&) {
    return;  // somebody was first, and decided
  }
}

}  // namespace convoke::kube
