#include "controller/kube/server_url.h"

#include <charconv>
#include <string_view>

#include <arpa/inet.h>

namespace convoke::kube {
namespace {

constexpr int kMaxPort = 65535;

bool is_ipv4_text(const std::string& host) {
  in_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1;
}

bool is_ipv6_text(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

Error wrong(const std::string& text, const std::string& why) {
  return {ErrorCode::Invalid,
          "server address \"" + text + "\": " + why + "; it should look like https://127.0.0.1:6443"};
}

// The text after the host: ":6443", or nothing.
bool read_port(std::string_view text, int& port) {
  if (text.empty()) return true;
  if (text.front() != ':') return false;
  const char* end = text.data() + text.size();
  const auto [stopped_at, error] = std::from_chars(text.data() + 1, end, port);
  return error == std::errc() && stopped_at == end && port > 0 && port <= kMaxPort;
}

}  // namespace

bool ServerUrl::is_ip() const {
  return is_ipv4_text(host) || is_ipv6_text(host);
}

bool ServerUrl::is_loopback() const {
  return host == "localhost" || host == "::1" || (is_ipv4_text(host) && host.rfind("127.", 0) == 0);
}

std::string ServerUrl::authority() const {
  return (is_ipv6() ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<ServerUrl> parse_server_url(const std::string& text) {
  ServerUrl url;
  std::string_view rest = text;
  if (rest.rfind("https://", 0) == 0) {
    rest.remove_prefix(8);
  } else if (rest.rfind("http://", 0) == 0) {
    rest.remove_prefix(7);
    url.https = false;
    url.port = 80;
  } else {
    return wrong(text, "it does not begin with https:// or http://");
  }
  if (rest.find_first_of("?#@ ") != std::string_view::npos) {
    return wrong(text, "user names, queries and fragments are not allowed");
  }
  const auto slash = rest.find('/');
  if (slash != std::string_view::npos) {
    url.path_prefix = rest.substr(slash);
    while (!url.path_prefix.empty() && url.path_prefix.back() == '/') url.path_prefix.pop_back();
    rest = rest.substr(0, slash);
  }
  if (!rest.empty() && rest.front() == '[') {
    const auto bracket = rest.find(']');
    if (bracket == std::string_view::npos) return wrong(text, "the IPv6 address has no closing bracket");
    url.host = rest.substr(1, bracket - 1);
    rest = rest.substr(bracket + 1);
    if (!is_ipv6_text(url.host)) return wrong(text, "what stands in brackets is not an IPv6 address");
  } else {
    const auto colon = rest.find(':');
    url.host = rest.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon);
  }
  if (url.host.empty()) return wrong(text, "it names no host");
  if (!read_port(rest, url.port)) return wrong(text, "the port is not a number from 1 to 65535");
  return url;
}

}  // namespace convoke::kube
