// Feeds a store from a watch with the Tasks that are not finished: an agent needs no others, and thousands of
// finished ones would only cost memory. A Task that finishes leaves the store.
//
// Thread safety: as ReflectorSink.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controller/runtime/reflector.h"
#include "controller/runtime/store.h"
#include "reconcilers/api/task.h"

namespace convoke::runner {

class LiveTaskSink final : public runtime::ReflectorSink {
 public:
  explicit LiveTaskSink(runtime::Store<api::Task>& store) : store_(store) {}

  void begin_replace() override { pending_.clear(); }
  void add_to_replace(const Json& object) override {
    if (auto task = read(object); !api::is_terminal(task->status.phase)) pending_.push_back(std::move(task));
  }
  void finish_replace(const std::string& resource_version) override {
    store_.replace(std::move(pending_), resource_version);
    pending_ = {};
  }
  void apply(const Json& object) override {
    auto task = read(object);
    if (api::is_terminal(task->status.phase)) return remove(object);
    store_.apply(std::move(task));
  }
  void remove(const Json& object) override {
    const auto meta = kube::meta_from_json(object);
    store_.remove(meta.key(), meta.uid, meta.resource_version);
  }

 private:
  static std::shared_ptr<const api::Task> read(const Json& object) {
    return std::make_shared<const api::Task>(api::Task::from_json(object));
  }

  runtime::Store<api::Task>& store_;
  std::vector<std::shared_ptr<const api::Task>> pending_;
};

}  // namespace convoke::runner
