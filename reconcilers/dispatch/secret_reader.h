// Values of Secrets, read when they are needed and kept for a short time.
//
// The right to read them is given for single Secrets (SECURITY.md of the chart). Values are never logged, and
// never part of an error.
//
// Thread safety: all methods from every thread. Ownership: client and clock outlive it. Errors: with the
// reason kSecretNotReadable; the message says what is to be done. Unavailable and the like if the API could
// not be asked.
#pragma once

#include <map>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/mutex.h"
#include "controller/base/result.h"
#include "controller/kube/client.h"

namespace convoke::dispatch {

inline const kube::ResourceType kSecret{"", "v1", "secrets", "Secret", true};
// On a Secret: the origin that its values may be sent to.
inline constexpr char kOriginAnnotation[] = "convoke.dev/dispatch-origin";

struct Secret {
  std::string origin;  // kOriginAnnotation
  std::map<std::string, std::string> values;

  Result<std::string> value(const std::string& secret_name, const std::string& key) const;
};

class SecretReader {
 public:
  SecretReader(kube::Client& client, Clock& clock);

  Result<Secret> read(const kube::ObjectKey& key);
  // It is read anew at its next use, because what it gave was refused.
  void forget(const kube::ObjectKey& key);

 private:
  struct Known {
    Result<Secret> secret;
    MonotonicTime until;
  };
  Result<Secret> fetch(const kube::ObjectKey& key);

  kube::Client& client_;
  Clock& clock_;
  Mutex mutex_;
  std::map<kube::ObjectKey, Known> known_ GUARDED_BY(mutex_);
};

}  // namespace convoke::dispatch
