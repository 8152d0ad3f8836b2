#include "controller/serve/address.h"

#include <charconv>

namespace convoke::serve {

namespace {

Error invalid(const std::string& text, const std::string& why) {
  return Error{ErrorCode::Invalid, "address \"" + text + "\": " + why};
}

}  // namespace

Result<ListenAddress> parse_listen_address(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return invalid(text, "no port; write \"host:port\" or \":port\"");

  std::string host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!bracketed && host.find(':') != std::string::npos) {
    return invalid(text, "an IPv6 address stands in brackets, as in \"[::1]:8080\"");
  }
  if (host == "localhost") host = "127.0.0.1";

  ListenAddress address{std::move(host), 0};
  const char* const first = text.data() + colon + 1;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, address.port);
  if (error != std::errc{} || end != last) return invalid(text, "the port is not a number from 0 to 65535");
  return address;
}

}  // namespace convoke::serve
