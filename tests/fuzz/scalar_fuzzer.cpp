// Durations, times, base64, addresses: short texts that stand inside of other inputs.

#include "controller/base/time_format.h"
#include "controller/kube/base64.h"
#include "controller/kube/server_url.h"
#include "controller/serve/address.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convoke;
  const std::string text(fuzz::as_text(data, size));
  if (const auto duration = parse_duration(text)) {
    const auto again = parse_duration(format_duration(*duration));
    fuzz::check(again.has_value() && *again == *duration, "a duration is written as it was read");
  }
  if (const auto time = parse_time(text)) {
    const auto again = parse_time(format_micro_time(*time));
    fuzz::check(again.has_value(), "a time that was read can be written");
  }
  const auto decoded = kube::base64_decode(kube::base64_encode(text));
  fuzz::check(decoded.has_value() && *decoded == text, "base64 goes both ways");
  (void)kube::base64_decode(text);
  if (const auto url = kube::parse_server_url(text)) {
    fuzz::check(!url->host.empty() && url->port > 0 && url->port < 65536, "a server has a host and a port");
  }
  (void)serve::parse_listen_address(text);
  return 0;
}
