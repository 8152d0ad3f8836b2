#include "controller/runtime/manager.h"

#include <utility>

#include "controller/runtime/manager_sequence.h"

namespace convoke::runtime {

namespace {

class ReflectorCache final : public CachePart {
 public:
  explicit ReflectorCache(Reflector& reflector) : reflector_(reflector) {}
  void start() override { reflector_.start(); }
  void stop() override { reflector_.stop(); }
  bool synced() const override { return reflector_.synced(); }
  bool wait_synced(Duration timeout) override { return reflector_.wait_synced(timeout); }
  std::string last_error() const override { return reflector_.last_error(); }
  std::string name() const override {
    const auto& source = reflector_.source();
    std::string name = source.type.plural;
    if (!source.type.group.empty()) name += "." + source.type.group;
    if (!source.namespace_.empty()) name += " in namespace " + source.namespace_;
    return name;
  }

 private:
  Reflector& reflector_;
};

class ElectorLeader final : public LeaderPart {
 public:
  ElectorLeader(LeaderElector& elector, Reflector* watch) : elector_(elector), watch_(watch) {}
  void start() override {
    elector_.start();
    if (watch_ != nullptr) watch_->start();
  }
  void stop(bool release) override {
    if (watch_ != nullptr) watch_->stop();
    elector_.stop(release);
  }

 private:
  LeaderElector& elector_;
  Reflector* const watch_;
};

class ControllerWorker final : public WorkerPart {
 public:
  explicit ControllerWorker(Controller& controller) : controller_(controller) {}
  void start() override { controller_.start(); }
  bool stop(Duration drain) override { return controller_.stop(drain); }
  std::string name() const override { return controller_.name(); }

 private:
  Controller& controller_;
};

class RecorderEvents final : public EventPart {
 public:
  explicit RecorderEvents(ApiEventRecorder& recorder) : recorder_(recorder) {}
  void start() override { recorder_.start(); }
  void stop(Duration timeout) override { recorder_.stop(timeout); }

 private:
  ApiEventRecorder& recorder_;
};

SequenceParts bind(ManagerParts parts) {
  SequenceParts bound;
  bound.endpoints = std::move(parts.endpoints);
  bound.on_leading = std::move(parts.on_leading);
  for (Reflector* reflector : parts.reflectors)
    bound.caches.push_back(std::make_unique<ReflectorCache>(*reflector));
  for (Controller* controller : parts.controllers) {
    bound.workers.push_back(std::make_unique<ControllerWorker>(*controller));
  }
  if (parts.leader != nullptr)
    bound.leader = std::make_unique<ElectorLeader>(*parts.leader, parts.leader_watch);
  if (parts.events != nullptr) bound.events = std::make_unique<RecorderEvents>(*parts.events);
  return bound;
}

}  // namespace

struct Manager::Impl {
  ManagerSequence sequence;
};

Manager::Manager(Clock& clock, Logger log, ManagerParts parts, ManagerOptions options)
    : impl_(new Impl{ManagerSequence(clock, std::move(log), bind(std::move(parts)), options)}) {}

Manager::~Manager() = default;

Status Manager::run() {
  return impl_->sequence.run();
}
void Manager::request_stop() {
  impl_->sequence.request_stop();
}
void Manager::leadership_gained() {
  impl_->sequence.leadership_gained();
}
void Manager::leadership_lost() {
  impl_->sequence.leadership_lost();
}
bool Manager::caches_synced() const {
  return impl_->sequence.caches_synced();
}
std::vector<std::string> Manager::unsynced() const {
  return impl_->sequence.unsynced();
}

}  // namespace convoke::runtime
