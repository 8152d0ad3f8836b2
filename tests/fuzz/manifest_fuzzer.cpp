// What somebody hands to `kubectl convoke lint`.

#include <algorithm>

#include "programs/kubectl-convoke/manifest_check.h"
#include "programs/kubectl-convoke/yaml_document.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convoke;
  // What is larger is told by the sanitizers too late to be told at all.
  constexpr std::size_t kMaxBytes = 4096;
  constexpr std::size_t kMaxNodes = 2000;
  if (size > kMaxBytes) return 0;
  const std::string text(fuzz::as_text(data, size));
  const auto file = plugin::read_yaml(text, kMaxNodes);
  const auto lines = 1 + std::count(text.begin(), text.end(), '\n');
  for (const auto& problem : file.problems)
    fuzz::check(problem.position.line <= lines + 1, "a problem is on a line of the file");
  std::vector<plugin::Manifest> manifests;
  for (const auto& document : file.documents) manifests.push_back({"fuzz.yaml", document});
  for (const auto& finding : plugin::check_manifests(manifests).findings)
    fuzz::check(!finding.message.empty(), "a finding says what is wrong");
  return 0;
}
