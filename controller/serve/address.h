// "host:port" as an address to listen on. Pure, safe from every thread.
#pragma once

#include <cstdint>
#include <string>

#include "controller/base/result.h"

namespace convoke::serve {

struct ListenAddress {
  std::string host;  // an IP address without brackets; empty: all interfaces
  std::uint16_t port = 0;
};

// Error Invalid names the text and what is wrong with it.
Result<ListenAddress> parse_listen_address(const std::string& text);

}  // namespace convoke::serve
