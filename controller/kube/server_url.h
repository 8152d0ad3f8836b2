// The API server's address, taken apart. Pure functions.
#pragma once

#include <string>

#include "controller/base/result.h"

namespace convoke::kube {

struct ServerUrl {
  bool https = true;
  std::string host;  // an IPv6 address has no brackets
  int port = 443;
  std::string path_prefix;  // "/prefix", or empty

  bool is_ipv6() const { return host.find(':') != std::string::npos; }
  bool is_ip() const;
  bool is_loopback() const;
  // "127.0.0.1:6443", "[fd00::1]:443": for the Host header, metrics and messages.
  std::string authority() const;
};

// Reads "https://127.0.0.1:6443", "https://[fd00::1]:443/prefix". Error Invalid says what is wrong with it.
Result<ServerUrl> parse_server_url(const std::string& text);

}  // namespace convoke::kube
