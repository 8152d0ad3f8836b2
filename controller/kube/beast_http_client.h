// HttpClient over Boost.Beast: one connection and one event loop for each request, on the caller's thread, so
// that one slow host is nobody else's trouble.
//
// A host name is resolved first, and only an allowed address is connected to: never link-local ones (cloud
// metadata), multicast or 0.0.0.0, and loopback only if the options say so.
//
// Thread safety and errors: as http_client.h says.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "controller/base/clock.h"
#include "controller/kube/http_client.h"

namespace convoke::kube {

struct HttpClientOptions {
  std::string user_agent = "convoke";
  std::size_t max_header_bytes = std::size_t{16} * 1024;
  std::size_t max_body_bytes = std::size_t{256} * 1024;
  bool allow_loopback = false;
};

std::unique_ptr<HttpClient> make_beast_http_client(Clock& clock, HttpClientOptions options = {});

// Empty if requests may go to this address ("10.0.0.7", "fd00::1"); otherwise what is wrong with it.
std::string address_objection(const std::string& address, bool allow_loopback);

}  // namespace convoke::kube
