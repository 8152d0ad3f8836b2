// The runner's configuration file.

#include "programs/runner/config.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convoke;
  const auto config = runner::parse_runner_config(std::string(fuzz::as_text(data, size)), "runner.yaml");
  if (!config) fuzz::check(config.error().message.starts_with("runner.yaml"), "an error names the file");
  return 0;
}
