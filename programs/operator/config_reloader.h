// Follows the configuration file while the operator runs. The file is read every two seconds (whatever way it
// is replaced: a ConfigMap volume swaps a symbolic link, people edit in place) and on request (SIGHUP). New
// text that stays the same for half a second is taken; so a file that is just being written is not.
//
// What is hot takes effect; for a key that needs a restart the former value stays, and that is said. A file
// with a mistake changes nothing at all. Each outcome is a log line, an Event and metrics:
//   convoke_config_reload_total{result="success"|"restart_required"|"error"}
//   convoke_config_last_reload_successful         0 while the file cannot be used
//   convoke_config_restart_required               keys whose new value waits for a restart
//
// Thread safety: request() from every thread; start and stop once.
// Ownership: what the constructor takes by reference outlives it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/mutex.h"
#include "controller/runtime/event_recorder.h"
#include "programs/operator/config.h"

namespace prometheus {
class Registry;
}

namespace convoke::programs {

namespace metric {

inline constexpr char kConfigReloads[] = "convoke_config_reload_total";
inline constexpr char kConfigReloadOk[] = "convoke_config_last_reload_successful";
inline constexpr char kConfigRestartRequired[] = "convoke_config_restart_required";

}  // namespace metric

struct ReloadParts {
  Clock& clock;
  Logger log;
  prometheus::Registry& registry;
  runtime::EventRecorder& events;
  kube::ObjectReference self;                        // what Events are about
  std::function<Result<std::string>()> read;         // the file, as it is now
  std::function<void(const OperatorConfig&)> apply;  // makes the hot keys take effect
};

class ConfigReloader {
 public:
  // `text` is what `config` was made from.
  ConfigReloader(ReloadParts parts, ConfigSource source, std::string text, OperatorConfig config);
  ~ConfigReloader();

  void start();
  void stop();
  // Reads the file again now, even if it did not change.
  void request();

 private:
  struct Metrics;
  enum class Wake { Stopped, Asked, TimeIsUp };

  void run();
  Wake sleep(Duration duration);
  void take(const Result<std::string>& text);
  void refuse(const Error& error);
  void accept(const OperatorConfig& wanted);
  void tell(runtime::EventType type, const std::string& reason, const std::string& note);

  const ReloadParts parts_;
  const ConfigSource source_;
  const OperatorConfig started_with_;
  const std::unique_ptr<Metrics> metrics_;

  // Of the reloader's own thread only.
  OperatorConfig in_effect_;  // as far as it is hot
  std::string seen_;          // the text, or why there is none

  Mutex mutex_;
  std::unique_ptr<Condition> changed_;
  bool stopped_ GUARDED_BY(mutex_) = false;
  bool asked_ GUARDED_BY(mutex_) = false;

  std::unique_ptr<Thread> thread_;  // the last member: it uses all the others
};

}  // namespace convoke::programs
