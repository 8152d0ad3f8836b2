#include "programs/operator/config_reloader.h"

#include <utility>
#include <vector>

#include <prometheus/registry.h>

#include "controller/runtime/metric_builders.h"
#include "programs/operator/settings.h"

namespace convoke::programs {

namespace {

using namespace std::chrono_literals;

constexpr Duration kLookEvery = 2s;
constexpr Duration kMustStaySame = 500ms;

constexpr char kReloaded[] = "ConfigurationReloaded";
constexpr char kNeedsRestart[] = "ConfigurationNeedsRestart";
constexpr char kRefused[] = "ConfigurationRefused";

prometheus::Counter& reloads(prometheus::Registry& registry, const char* result) {
  return runtime::make_counter(registry, metric::kConfigReloads,
                               "Times that the configuration file was read again, by what came of it",
                               {{"result", result}});
}

// What to compare: a file that cannot be read is a state like any other, told once.
std::string state_of(const Result<std::string>& text) {
  return text ? "+" + *text : "-" + text.error().message;
}

std::string list(const std::vector<SettingChange>& changes) {
  std::string text;
  for (const auto& change : changes) text += (text.empty() ? "" : ", ") + change.str();
  return text;
}

}  // namespace

struct ConfigReloader::Metrics {
  explicit Metrics(prometheus::Registry& registry)
      : success(reloads(registry, "success")),
        restart_required(reloads(registry, "restart_required")),
        error(reloads(registry, "error")),
        last_successful(runtime::make_gauge(registry, metric::kConfigReloadOk,
                                            "1 if the configuration file could be used when it was last read",
                                            {})),
        waiting_keys(runtime::make_gauge(registry, metric::kConfigRestartRequired,
                                         "Keys of the configuration file whose new value waits for a restart",
                                         {})) {
    last_successful.Set(1);
  }

  prometheus::Counter& success;
  prometheus::Counter& restart_required;
  prometheus::Counter& error;
  prometheus::Gauge& last_successful;
  prometheus::Gauge& waiting_keys;
};

ConfigReloader::ConfigReloader(ReloadParts parts, ConfigSource source, std::string text,
                               OperatorConfig config)
    : parts_(std::move(parts)),
      source_(std::move(source)),
      started_with_(config),
      metrics_(std::make_unique<Metrics>(parts_.registry)),
      in_effect_(std::move(config)),
      seen_(state_of(std::move(text))),
      changed_(parts_.clock.make_condition()) {}

ConfigReloader::~ConfigReloader() {
  stop();
}

void ConfigReloader::start() {
  thread_ = parts_.clock.start_thread("config", [this] { run(); });
}

void ConfigReloader::stop() {
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    changed_->notify_all();
  }
  thread_.reset();
}

void ConfigReloader::request() {
  const MutexLock lock(mutex_);
  asked_ = true;
  changed_->notify_all();
}

void ConfigReloader::run() {
  std::string candidate;  // a new state that was seen once
  for (;;) {
    const Wake wake = sleep(candidate.empty() ? kLookEvery : kMustStaySame);
    if (wake == Wake::Stopped) return;
    if (source_.file().empty()) {
      if (wake == Wake::Asked)
        parts_.log.warn("there is no configuration file to read again: the operator runs without --config");
      continue;
    }
    const auto text = parts_.read();
    const std::string state = state_of(text);
    if (wake == Wake::Asked || (state != seen_ && state == candidate)) {
      take(text);
      seen_ = state;
    }
    candidate = state == seen_ ? "" : state;
  }
}

ConfigReloader::Wake ConfigReloader::sleep(Duration duration) {
  const MonotonicTime until = parts_.clock.monotonic_now() + duration;
  const MutexLock lock(mutex_);
  while (!stopped_ && !asked_ && parts_.clock.monotonic_now() < until) changed_->wait_until(mutex_, until);
  if (stopped_) return Wake::Stopped;
  return std::exchange(asked_, false) ? Wake::Asked : Wake::TimeIsUp;
}

void ConfigReloader::take(const Result<std::string>& text) {
  if (!text) return refuse(text.error());
  const auto wanted = source_.parse(*text);
  if (!wanted) return refuse(wanted.error());
  accept(*wanted);
}

void ConfigReloader::refuse(const Error& error) {
  parts_.log.error("the configuration file cannot be used; the former configuration stays in effect",
                   {{"file", source_.file()}, {"error", error.message}});
  metrics_->error.Increment();
  metrics_->last_successful.Set(0);
  tell(runtime::EventType::Warning, kRefused, "The former configuration stays in effect: " + error.message);
}

void ConfigReloader::accept(const OperatorConfig& wanted) {
  const auto changed = changes(in_effect_, wanted, Reload::Hot);
  const auto waiting = changes(started_with_, wanted, Reload::Restart);
  parts_.apply(wanted);
  in_effect_ = wanted;

  const std::string news = changed.empty() ? "nothing that takes effect now" : list(changed);
  parts_.log.info("configuration reloaded", {{"file", source_.file()}, {"changed", news}});
  metrics_->last_successful.Set(1);
  metrics_->waiting_keys.Set(static_cast<double>(waiting.size()));
  (waiting.empty() ? metrics_->success : metrics_->restart_required).Increment();
  if (!changed.empty()) tell(runtime::EventType::Normal, kReloaded, "Changed " + list(changed));
  if (waiting.empty()) return;
  parts_.log.warn("these keys of the configuration need a restart; their former values stay until then",
                  {{"file", source_.file()}, {"keys", list(waiting)}});
  tell(runtime::EventType::Warning, kNeedsRestart, "Takes effect after a restart: " + list(waiting));
}

void ConfigReloader::tell(runtime::EventType type, const std::string& reason, const std::string& note) {
  parts_.events.record(parts_.self, type, reason, "Reload", note);
}

}  // namespace convoke::programs
