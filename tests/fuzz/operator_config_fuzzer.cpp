// The operator's configuration file.

#include "programs/operator/config.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convoke;
  programs::OperatorConfig config;
  const auto read = programs::apply_yaml(config, std::string(fuzz::as_text(data, size)), "config.yaml");
  if (!read) {
    fuzz::check(read.error().message.starts_with("config.yaml"), "an error names the file");
    return 0;
  }
  const std::string printed = programs::print_yaml(config);
  programs::OperatorConfig again;
  fuzz::check(programs::apply_yaml(again, printed, "printed.yaml").has_value(),
              "what is printed can be read");
  fuzz::check(programs::print_yaml(again) == printed, "what is printed reads as the same configuration");
  return 0;
}
