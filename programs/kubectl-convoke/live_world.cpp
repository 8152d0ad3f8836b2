#include "programs/kubectl-convoke/live_world.h"

#include <algorithm>

#include "programs/kubectl-convoke/json_view.h"
#include "reconcilers/api/child_name.h"
#include "reconcilers/api/workflow_run.h"

namespace convoke::plugin {
namespace {

// Each costs a watch or two: the rest of a run of thousands of sub-runs is told by its rows.
constexpr std::size_t kMaxFollowed = 40;

Json without_managed_fields(Json object) {
  if (object.contains("metadata")) object["metadata"].erase("managedFields");
  return object;
}

}  // namespace

namespace {

class PictureSink final : public runtime::ReflectorSink {
 public:
  PictureSink(Picture& picture, std::size_t watch, kube::ResourceType type)
      : picture_(picture), watch_(watch), type_(std::move(type)) {}
  void begin_replace() override { pending_.clear(); }
  void add_to_replace(const Json& object) override {
    pending_[name_of(object)] = without_managed_fields(object);
  }
  void finish_replace(const std::string&) override {
    picture_.replace(watch_, type_, std::move(pending_));
    pending_ = {};
  }
  void apply(const Json& object) override { picture_.put(watch_, without_managed_fields(object)); }
  void remove(const Json& object) override { picture_.remove(watch_, name_of(object)); }

 private:
  Picture& picture_;
  const std::size_t watch_;
  const kube::ResourceType type_;
  std::map<std::string, Json> pending_;
};

}  // namespace

void Picture::replace(std::size_t watch, const kube::ResourceType& type,
                      std::map<std::string, Json> objects) {
  const MutexLock lock(mutex_);
  watched_[watch] = {type == api::kWorkflowRun, std::move(objects)};
  told();
}

void Picture::put(std::size_t watch, const Json& object) {
  const MutexLock lock(mutex_);
  watched_[watch].objects[name_of(object)] = object;
  told();
}

void Picture::remove(std::size_t watch, const std::string& name) {
  const MutexLock lock(mutex_);
  watched_[watch].objects.erase(name);
  told();
}

void Picture::told() {
  news_ = true;
  changed_->notify_all();
}

World Picture::copy() {
  World world;
  const MutexLock lock(mutex_);
  news_ = false;
  for (const auto& [watch, watched] : watched_) {
    auto& target = watched.runs ? world.runs : world.tasks;
    target.insert(watched.objects.begin(), watched.objects.end());
  }
  return world;
}

bool Picture::wait(Duration at_most) {
  const auto deadline = clock_.monotonic_now() + at_most;
  const MutexLock lock(mutex_);
  while (!news_ && changed_->wait_until(mutex_, deadline)) {
  }
  return news_;
}

LiveWorld::LiveWorld(kube::Client& client, Clock& clock, Random& random, std::string its_namespace)
    : client_(client),
      clock_(clock),
      random_(random),
      namespace_(std::move(its_namespace)),
      picture_(clock) {}

LiveWorld::~LiveWorld() {
  for (auto& reflector : reflectors_) reflector->stop();
}

void LiveWorld::add(const kube::ResourceType& type, const std::string& label_selector,
                    const std::string& field_selector) {
  reflectors_.push_back(std::make_unique<runtime::Reflector>(
      client_, clock_, random_, log_,
      runtime::ReflectorSource{type, namespace_, label_selector, field_selector},
      std::make_unique<PictureSink>(picture_, reflectors_.size(), type)));
  reflectors_.back()->start();
}

void LiveWorld::follow(const std::string& run) {
  const auto key = "run/" + run;
  if (std::find(followed_.begin(), followed_.end(), key) != followed_.end()) return;
  followed_.push_back(key);
  add(api::kWorkflowRun, "", "metadata.name=" + run);
  add(api::kTask, std::string(api::label::kRun) + "=" + api::fit_name(run), "");
}

World LiveWorld::snapshot() {
  World world = picture_.copy();
  follow_news(world);
  return world;
}

void LiveWorld::follow_news(const World& world) {
  for (const auto& [name, run] : world.runs) {
    for (const auto& row : objects_at(run, "/status/steps")) {
      const auto sub_run = text_at(row, "/runName");
      if (!sub_run.empty() && followed_.size() < kMaxFollowed) follow(sub_run);
    }
  }
  for (const auto& [name, task] : world.tasks) {
    const auto key = "task/" + name;
    const bool known = std::find(followed_.begin(), followed_.end(), key) != followed_.end();
    if (known || objects_at(task, "/spec/subtasks").empty() || followed_.size() >= kMaxFollowed) continue;
    followed_.push_back(key);
    add(api::kTask, std::string(api::label::kParent) + "=" + api::fit_name(name), "");
  }
}

bool LiveWorld::complete() const {
  return std::all_of(reflectors_.begin(), reflectors_.end(), [](const auto& one) { return one->synced(); });
}

std::string LiveWorld::problem() const {
  for (const auto& reflector : reflectors_) {
    if (auto error = reflector->last_error(); !error.empty()) return error;
  }
  return {};
}

}  // namespace convoke::plugin
