// A kubeconfig, and what a credential plugin answers.

#include "controller/kube/exec_plugin.h"
#include "controller/kube/kubeconfig.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convoke;
  const std::string text(fuzz::as_text(data, size));
  // A file that the text names is read: no device, that might never end.
  if (text.find("/dev") != std::string::npos || text.find("/proc") != std::string::npos) return 0;
  const auto config = kube::read_kubeconfig_text(text, "/nonexistent", "");
  fuzz::check(config.has_value() || !config.error().message.empty(), "a refusal says why");
  kube::ExecPlugin plugin;
  const auto credential = kube::parse_exec_credential(plugin, text);
  fuzz::check(credential.has_value() || !credential.error().message.empty(), "a refusal says why");
  return 0;
}
