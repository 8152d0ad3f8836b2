#include "controller/runtime/reflector.h"

#include <exception>
#include <optional>
#include <utility>
#include <variant>

#include "controller/runtime/jittered_backoff.h"
#include "controller/runtime/line_splitter.h"
#include "controller/runtime/watch_machine.h"

namespace convoke::runtime {
namespace {

using watch::Input;

constexpr Duration kBackoffBase = std::chrono::milliseconds(200);
constexpr Duration kBackoffMax = std::chrono::seconds(30);
constexpr std::chrono::seconds kWatchTimeout{290};
// A streaming list that the server does not finish in this time is given up for a paged one.
constexpr std::chrono::seconds kStreamingListTimeout{60};

std::string describe(const kube::ResourceType& type) {
  return type.group.empty() ? type.plural : type.plural + "." + type.group;
}

// What went wrong, and what a person can do about it.
std::string explain(const std::string& resource, const Error& error) {
  switch (error.code) {
    case ErrorCode::NotFound:
      return "the API server does not know " + resource + ": is its CRD installed, in this version?";
    case ErrorCode::Forbidden:
      return "no permission to list and watch " + resource +
             ": the service account needs the verbs get, list and watch on it";
    case ErrorCode::Unauthorized:
      return "the API server does not accept our credentials for watching " + resource;
    case ErrorCode::Expired:
      return "the watch of " + resource + " fell too far behind and starts over with a list";
    default:
      return "cannot watch " + resource + " for the moment";
  }
}

}  // namespace

struct Reflector::Impl {
  Impl(kube::Client& a_client, Clock& a_clock, Random& a_random, const Logger& a_log,
       ReflectorSource a_source, std::unique_ptr<ReflectorSink> a_sink)
      : client(a_client),
        clock(a_clock),
        random(a_random),
        source(std::move(a_source)),
        resource(describe(source.type)),
        log(a_log.with({{"resource", resource}})),
        sink(std::move(a_sink)),
        stopping(a_clock),
        backoff(a_random, kBackoffBase, kBackoffMax),
        changed(a_clock.make_condition()) {
    summary.heard_at = clock.monotonic_now();
  }

  void start();
  void stop();
  void run();
  Input carry_out(std::vector<watch::Output> outputs);

  // The outputs of the watch machine. Exchanges give the next input.
  std::optional<Input> perform(watch::FetchPage fetch);
  std::optional<Input> perform(watch::OpenWatch open);
  std::optional<Input> perform(watch::BeginReplace begin);
  std::optional<Input> perform(watch::AddToReplace add);
  std::optional<Input> perform(watch::FinishReplace finish);
  std::optional<Input> perform(watch::Apply apply);
  std::optional<Input> perform(watch::Remove remove);
  std::optional<Input> perform(const watch::BackOff& back_off);
  std::optional<Input> perform(watch::ResetBackoff reset);

  Input read_event();
  Input watch_ended(std::optional<Error> error) const;
  bool take_stream(std::unique_ptr<kube::BodyStream> opened);
  void drop_stream();
  template <class Action>
  void into_sink(const Json* object, const Action& action);
  void note_failure(const Error& error);
  void note_success();
  void note_sign_of_life();

  kube::Client& client;
  Clock& clock;
  Random& random;
  const ReflectorSource source;
  const std::string resource;
  const Logger log;
  const std::unique_ptr<ReflectorSink> sink;
  StopSignal stopping;

  // Of the reflector's own thread only.
  JitteredBackoff backoff;
  LineSplitter splitter;
  MonotonicTime opened_at = {};
  std::optional<std::pair<ErrorCode, int>>
      reported;  // the failure that was logged last; none while all is well

  mutable Mutex mutex;
  std::unique_ptr<Condition> changed;
  ReflectorState summary GUARDED_BY(mutex);
  std::string last_error GUARDED_BY(mutex);
  std::shared_ptr<kube::BodyStream> stream
      GUARDED_BY(mutex);  // shared, because stop() cancels it from outside

  std::unique_ptr<Thread> thread GUARDED_BY(mutex);  // the last member: it uses all the others
};

void Reflector::Impl::start() {
  MutexLock lock(mutex);
  thread = clock.start_thread("watch " + source.type.plural, [this] { run(); });
}

void Reflector::Impl::stop() {
  stopping.stop();
  std::shared_ptr<kube::BodyStream> open;
  std::unique_ptr<Thread> ended;
  {
    MutexLock lock(mutex);
    open = stream;
    ended.swap(thread);
    changed->notify_all();
  }
  if (open != nullptr) {
    open->cancel();
  }
  if (ended != nullptr) {
    ended->join();
  }
}

void Reflector::Impl::run() {
  watch::State state;
  Input input = watch::Started{};
  while (!stopping.stopped()) {
    watch::Step next = watch::step(std::move(state), std::move(input));
    state = std::move(next.state);
    input = carry_out(std::move(next.outputs));
  }
  drop_stream();
}

Input Reflector::Impl::carry_out(std::vector<watch::Output> outputs) {
  std::optional<Input> answer;
  for (watch::Output& output : outputs) {
    if (stopping.stopped()) {
      return watch::Started{};
    }
    answer = std::visit([this](auto&& task) { return perform(std::forward<decltype(task)>(task)); },
                        std::move(output));
  }
  return answer ? *std::move(answer) : read_event();
}

// --- Exchanges ---

std::optional<Input> Reflector::Impl::perform(watch::FetchPage fetch) {
  drop_stream();
  kube::ListOptions options;
  options.label_selector = source.label_selector;
  options.field_selector = source.field_selector;
  options.continue_token = std::move(fetch.continue_token);
  auto page = client.list(source.type, source.namespace_, options);
  if (!page) {
    return watch::ListFailed{std::move(page.error())};
  }
  note_sign_of_life();
  return watch::PageListed{*std::move(page)};
}

std::optional<Input> Reflector::Impl::perform(watch::OpenWatch open) {
  drop_stream();
  kube::WatchOptions options;
  options.label_selector = source.label_selector;
  options.field_selector = source.field_selector;
  options.resource_version = std::move(open.resource_version);
  options.send_initial_events = open.initial_events;
  // Watches that were opened together should not all end together.
  options.timeout =
      open.initial_events
          ? kStreamingListTimeout
          : std::chrono::duration_cast<std::chrono::seconds>(kWatchTimeout * (0.8 + 0.2 * random.uniform()));
  auto opened = client.watch(source.type, source.namespace_, options);
  if (!opened) {
    return watch::WatchFailed{std::move(opened.error())};
  }
  if (!take_stream(*std::move(opened))) {
    return watch::WatchFailed{{ErrorCode::Cancelled, "the reflector was stopped"}};
  }
  splitter = LineSplitter();
  opened_at = clock.monotonic_now();
  return watch::WatchOpened{};
}

Input Reflector::Impl::read_event() {
  std::shared_ptr<kube::BodyStream> body;
  {
    MutexLock lock(mutex);
    body = stream;
  }
  if (body == nullptr) {
    return watch_ended(Error{ErrorCode::Internal, "there is no watch to read from"});
  }
  for (;;) {
    const auto line = splitter.next();
    if (!line) {
      return watch_ended(line.error());
    }
    if (*line) {
      auto event = watch::parse_event(**line);
      return event ? Input(*std::move(event)) : watch_ended(std::move(event.error()));
    }
    const auto bytes = body->read();
    if (!bytes) {
      return watch_ended(bytes.error());
    }
    if (bytes->empty()) {
      return watch_ended({});
    }
    note_sign_of_life();
    splitter.push(*bytes);
  }
}

Input Reflector::Impl::watch_ended(std::optional<Error> error) const {
  return watch::WatchEnded{clock.monotonic_now() - opened_at, std::move(error)};
}

// False if stop() came first: it did not see the stream and could not cancel it.
bool Reflector::Impl::take_stream(std::unique_ptr<kube::BodyStream> opened) {
  {
    MutexLock lock(mutex);
    stream = std::move(opened);
    last_error.clear();
    summary.heard_at = clock.monotonic_now();
  }
  return !stopping.stopped();
}

void Reflector::Impl::drop_stream() {
  std::shared_ptr<kube::BodyStream> dropped;
  MutexLock lock(mutex);
  dropped.swap(stream);
}

// --- The sink ---

// One object that cannot be taken in never stops the others.
template <class Action>
void Reflector::Impl::into_sink(const Json* object, const Action& action) {
  try {
    action();
  } catch (const std::exception& exception) {
    const auto key = object == nullptr ? kube::ObjectKey{} : kube::meta_from_json(*object).key();
    log.error("the cache could not take in an object, which is a defect",
              {{"namespace", key.namespace_}, {"name", key.name}, {"error", exception.what()}});
  }
}

std::optional<Input> Reflector::Impl::perform(watch::BeginReplace) {
  into_sink(nullptr, [this] { sink->begin_replace(); });
  return {};
}

std::optional<Input> Reflector::Impl::perform(watch::AddToReplace add) {
  into_sink(&add.object, [&] { sink->add_to_replace(add.object); });
  return {};
}

std::optional<Input> Reflector::Impl::perform(watch::FinishReplace finish) {
  into_sink(nullptr, [&] { sink->finish_replace(finish.resource_version); });
  log.debug("the cache has a complete list", {{"resourceVersion", finish.resource_version}});
  MutexLock lock(mutex);
  last_error.clear();
  summary.synced = true;
  ++summary.lists;
  changed->notify_all();
  return {};
}

std::optional<Input> Reflector::Impl::perform(watch::Apply apply) {
  into_sink(&apply.object, [&] { sink->apply(apply.object); });
  return {};
}

std::optional<Input> Reflector::Impl::perform(watch::Remove remove) {
  into_sink(&remove.object, [&] { sink->remove(remove.object); });
  return {};
}

// --- Failures ---

std::optional<Input> Reflector::Impl::perform(const watch::BackOff& back_off) {
  drop_stream();
  note_failure(back_off.error);
  stopping.sleep_for(std::max(backoff.next(), back_off.error.retry_after.value_or(Duration::zero())));
  return {};
}

std::optional<Input> Reflector::Impl::perform(watch::ResetBackoff) {
  backoff.reset();
  note_success();
  return {};
}

void Reflector::Impl::note_failure(const Error& error) {
  const std::string explanation = explain(resource, error);
  const std::string details = error.describe();
  {
    MutexLock lock(mutex);
    last_error = explanation + " (" + details + ")";
    ++summary.failures;
  }
  const std::pair failure{error.code, error.http_status};
  if (reported == failure) {
    log.debug(explanation, {{"error", details}});
    return;
  }
  reported = failure;
  if (error.code == ErrorCode::Expired || error.code == ErrorCode::Cancelled) {
    log.info(explanation, {{"error", details}});
  } else {
    log.warn(explanation, {{"error", details}});
  }
}

void Reflector::Impl::note_success() {
  if (std::exchange(reported, std::nullopt)) {
    log.info("the watch of " + resource + " is well again");
  }
}

void Reflector::Impl::note_sign_of_life() {
  const MonotonicTime now = clock.monotonic_now();
  const MutexLock lock(mutex);
  summary.heard_at = now;
}

// --- Reflector ---

Reflector::Reflector(kube::Client& client, Clock& clock, Random& random, const Logger& log,
                     ReflectorSource source, std::unique_ptr<ReflectorSink> sink)
    : impl_(std::make_unique<Impl>(client, clock, random, log, std::move(source), std::move(sink))) {}

Reflector::~Reflector() {
  impl_->stop();
}

void Reflector::start() {
  impl_->start();
}

void Reflector::stop() {
  impl_->stop();
}

bool Reflector::synced() const {
  MutexLock lock(impl_->mutex);
  return impl_->summary.synced;
}

bool Reflector::wait_synced(Duration timeout) {
  const MonotonicTime deadline = impl_->clock.monotonic_now() + timeout;
  MutexLock lock(impl_->mutex);
  while (!impl_->summary.synced && !impl_->stopping.stopped()) {
    if (!impl_->changed->wait_until(impl_->mutex, deadline)) {
      break;
    }
  }
  return impl_->summary.synced;
}

std::string Reflector::last_error() const {
  MutexLock lock(impl_->mutex);
  return impl_->last_error;
}

ReflectorState Reflector::state() const {
  MutexLock lock(impl_->mutex);
  return impl_->summary;
}

const std::string& Reflector::resource() const {
  return impl_->resource;
}

const ReflectorSource& Reflector::source() const {
  return impl_->source;
}

}  // namespace convoke::runtime
