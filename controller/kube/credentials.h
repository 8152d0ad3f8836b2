// Who we are at this moment: the Authorization header and the TLS snapshot, kept fresh from the files and
// plugins that a ClusterConfig names.
//
// Files (CA, certificate, key, token) are looked at once a minute, by the monotonic clock, and once on a 401;
// a plugin is run again when what it gave has expired, or on a 401. While something cannot be read again,
// what was read last stays in use.
//
// Thread safety: all methods. One thread refreshes while the others wait for it.
// Errors: Invalid (PEM texts, files that were never readable), and those of exec_plugin.h.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/mutex.h"
#include "controller/base/result.h"
#include "controller/kube/config.h"
#include "controller/kube/exec_plugin.h"
#include "controller/kube/server_url.h"
#include "controller/kube/tls.h"

namespace convoke::kube {

// Immutable; a change makes a new one. `tls` stays the same object while nothing of it changed, and is null
// for http.
struct Identity {
  std::string authorization;
  std::shared_ptr<const TlsSnapshot> tls;
};

class Credentials {
 public:
  static Result<std::unique_ptr<Credentials>> make(const ClusterConfig& config, Clock& clock, Logger log,
                                                   PluginRunner run_plugin);

  Result<std::shared_ptr<const Identity>> current();
  // After a 401 for `refused`: what we are after looking again. The same pointer means that nothing changed,
  // and that asking again would give the same answer.
  Result<std::shared_ptr<const Identity>> after_refusal(const std::shared_ptr<const Identity>& refused);

 private:
  // What the identity is made of, as texts.
  struct Material {
    TlsInputs tls;
    std::string authorization;
    std::optional<WallTime> expires;
  };

  Credentials(const ClusterConfig& config, const ServerUrl& server, Clock& clock, Logger log,
              PluginRunner run_plugin);

  Result<std::shared_ptr<const Identity>> get(const Identity* refused);
  // False if what we have will do; waits for another thread's refresh if it will not.
  bool begin_refresh(const Identity* refused) REQUIRES(mutex_);
  bool is_usable() const REQUIRES(mutex_);
  Result<std::shared_ptr<const Identity>> end_refresh(const Result<Material>& material);

  // These run on the refreshing thread alone, without the lock.
  Result<Material> read_material(bool forced);
  Status run_plugin_if_needed(const std::string& ca_pem, bool forced);
  Result<std::string> read_token() const;

  const ClusterConfig config_;
  Clock& clock_;
  const Logger log_;
  const PluginRunner run_plugin_;
  const ServerUrl server_;

  mutable Mutex mutex_;
  std::unique_ptr<Condition> refreshed_;
  bool refreshing_ GUARDED_BY(mutex_) = false;
  MonotonicTime next_look_ GUARDED_BY(mutex_);
  std::shared_ptr<const Identity> identity_ GUARDED_BY(mutex_);
  TlsInputs tls_inputs_ GUARDED_BY(mutex_);  // what identity_->tls was made of
  std::optional<WallTime> expires_ GUARDED_BY(mutex_);
  std::optional<Error> last_error_ GUARDED_BY(mutex_);

  // Of the refreshing thread.
  std::optional<ExecCredential> plugin_credential_;
  MonotonicTime plugin_ran_;
};

}  // namespace convoke::kube
