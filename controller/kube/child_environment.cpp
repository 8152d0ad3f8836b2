#include "controller/kube/child_environment.h"

#include <atomic>
#include <cstdlib>
#include <mutex>

#include <unistd.h>

namespace convoke::kube {
namespace {

constexpr const char* kSslCertFile = "SSL_CERT_FILE";
constexpr const char* kEmptyCaBundle = "/dev/null";
std::atomic<bool> system_ca_bundle_skipped{false};

}  // namespace

void skip_system_ca_bundle() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (std::getenv(kSslCertFile) != nullptr) return;
    system_ca_bundle_skipped = setenv(kSslCertFile, kEmptyCaBundle, 0) == 0;
  });
}

std::vector<std::string> environment_for_children() {
  const std::string added = std::string(kSslCertFile) + "=" + kEmptyCaBundle;
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (system_ca_bundle_skipped && added == *entry) continue;
    result.emplace_back(*entry);
  }
  return result;
}

}  // namespace convoke::kube
