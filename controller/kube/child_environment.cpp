#include "controller/kube/child_environment.h"

#include <cstdlib>
#include <optional>

#include <openssl/x509.h>
#include <unistd.h>

#include "controller/base/mutex.h"

namespace convoke::kube {
namespace {

const std::string kSslCertFile = "SSL_CERT_FILE";
constexpr const char* kEmptyCaBundle = "/dev/null";

// What this process had before it was changed.
struct Original {
  Mutex mutex;
  bool changed GUARDED_BY(mutex) = false;
  std::optional<std::string> value GUARDED_BY(mutex);
};

Original& original() {
  static Original instance;
  return instance;
}

std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace

void skip_system_ca_bundle() {
  auto& before = original();
  const MutexLock lock(before.mutex);
  if (before.changed) return;
  before.value = variable(kSslCertFile);
  before.changed = setenv(kSslCertFile.c_str(), kEmptyCaBundle, 1) == 0;
}

std::string system_ca_bundle() {
  auto& before = original();
  const MutexLock lock(before.mutex);
  const auto file = before.changed ? before.value : variable(kSslCertFile);
  return file.value_or(X509_get_default_cert_file());
}

std::vector<std::string> environment_for_children() {
  auto& before = original();
  const MutexLock lock(before.mutex);
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!before.changed || text.rfind(kSslCertFile + "=", 0) != 0) result.push_back(text);
  }
  if (before.changed && before.value) result.push_back(kSslCertFile + "=" + *before.value);
  return result;
}

}  // namespace convoke::kube
