// An error answer of the API server, or of what stands before it. Two bytes of status, a line of Retry-After,
// the body.

#include "controller/kube/errors.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convoke;
  if (size < 2) return 0;
  const auto text = fuzz::as_text(data + 2, size - 2);
  const auto end_of_line = text.find('\n');
  kube::HttpResponse response;
  response.status = 300 + (data[0] * 256 + data[1]) % 300;
  if (end_of_line != std::string_view::npos) {
    response.headers["retry-after"] = std::string(text.substr(0, end_of_line));
    response.body = std::string(text.substr(end_of_line + 1));
  } else {
    response.body = std::string(text);
  }
  const Error error = kube::error_from_response(response);
  fuzz::check(!error.message.empty(), "an error has a message");
  fuzz::check(error.message.size() < 64 * 1024, "an error's message is bounded");
  (void)error.describe();
  (void)kube::is_about_the_object(error);
  return 0;
}
