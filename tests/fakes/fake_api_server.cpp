#include "tests/fakes/fake_api_server.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "tests/fakes/api_connection.h"
#include "tests/fakes/api_core.h"
#include "tests/fakes/api_garbage.h"
#include "tests/fakes/api_streams.h"
#include "tests/fakes/api_writes.h"

namespace convoke::fakes {
namespace {

const Writer kPerson{"a person"};

// Every write runs under the core's mutex, so the streams may be woken from it.
void wake_streams(ApiCore& core, const Table& table) NO_THREAD_SAFETY_ANALYSIS {
  for (WatchStream* stream : core.world.streams) {
    if (&stream->table() == &table) {
      stream->wake();
    }
  }
}

void finish_streams(ApiWorld& world, const std::string& client, WatchStream::End end) {
  for (WatchStream* stream : world.streams) {
    if (client.empty() || stream->owner().client == client) {
      stream->finish(end);
    }
  }
}

void wake_streams_of(ApiWorld& world, const std::string& client) {
  for (WatchStream* stream : world.streams) {
    if (stream->owner().client == client) {
      stream->wake();
    }
  }
}

Table& table_of(ApiWorld& world, const kube::ResourceType& type) {
  Table* table = world.storage.find(type.group, type.version, type.plural);
  if (table == nullptr) {
    throw std::runtime_error(qualified(type) + " is not registered with the fake API server");
  }
  return *table;
}

ObjectPtr expect(Answer<ObjectPtr> answer) {
  if (!answer) {
    throw std::runtime_error(answer.error().message);
  }
  return *answer;
}

// The main resource, then the status, each as far as it changed.
ObjectPtr replace_all(ApiWorld& world, Table& table, ObjectPtr current, Json wanted) {
  wanted["metadata"]["resourceVersion"] = kube::meta_from_json(*current).resource_version;
  wanted["metadata"]["uid"] = kube::meta_from_json(*current).uid;
  current = expect(replace_object(world.storage, table, current, wanted, "", kPerson));
  const auto key = kube::meta_from_json(*current).key();
  if (!table.options.has_status || world.storage.get(table, key) == nullptr) {
    return current;
  }
  wanted["metadata"]["resourceVersion"] = kube::meta_from_json(*current).resource_version;
  return expect(replace_object(world.storage, table, current, std::move(wanted), "status", kPerson));
}

void collect_if_enabled(ApiWorld& world) {
  if (world.collects_garbage) {
    fakes::collect_garbage(world.storage);
  }
}

class HoldHandle final : public Hold {
 public:
  HoldHandle(ApiCore& core, std::shared_ptr<PendingHold> hold) : core_(core), hold_(std::move(hold)) {}
  bool reached() const override {
    const MutexLock lock(core_.mutex);
    return hold_->is_reached;
  }
  void release() override {
    const MutexLock lock(core_.mutex);
    hold_->is_released = true;
    core_.changed->notify_all();
  }

 private:
  ApiCore& core_;
  const std::shared_ptr<PendingHold> hold_;
};

}  // namespace

FakeApiServer::FakeApiServer(Clock& clock) : core_(std::make_unique<ApiCore>(clock)) {
  const MutexLock lock(core_->mutex);
  core_->world.storage.on_event([core = core_.get()](const Table& table) { wake_streams(*core, table); });
}

FakeApiServer::~FakeApiServer() = default;

void FakeApiServer::register_type(const kube::ResourceType& type, TypeOptions options) {
  const MutexLock lock(core_->mutex);
  core_->world.storage.register_type(type, std::move(options));
}

std::unique_ptr<kube::Transport> FakeApiServer::connect(const std::string& client) {
  return std::make_unique<Connection>(*core_, client);
}

void FakeApiServer::set_garbage_collection(bool enabled) {
  const MutexLock lock(core_->mutex);
  core_->world.collects_garbage = enabled;
}

void FakeApiServer::collect_garbage() {
  const MutexLock lock(core_->mutex);
  fakes::collect_garbage(core_->world.storage);
}

void FakeApiServer::set_require_namespaces(bool required) {
  const MutexLock lock(core_->mutex);
  core_->world.verbs.requires_namespaces = required;
}

void FakeApiServer::set_streaming_lists(bool supported) {
  const MutexLock lock(core_->mutex);
  core_->world.verbs.has_streaming_lists = supported;
}

void FakeApiServer::set_gone_as_status(bool enabled) {
  const MutexLock lock(core_->mutex);
  core_->world.gone_as_status = enabled;
}

void FakeApiServer::set_history_limit(std::size_t events) {
  const MutexLock lock(core_->mutex);
  core_->world.storage.set_history_limit(events);
}

void FakeApiServer::set_chunk_bytes(std::size_t bytes) {
  const MutexLock lock(core_->mutex);
  core_->world.chunk_bytes = bytes;
}

void FakeApiServer::set_latency(Duration latency) {
  const MutexLock lock(core_->mutex);
  core_->world.latency = latency;
}

void FakeApiServer::set_interleaving(bool enabled) {
  const MutexLock lock(core_->mutex);
  core_->world.interleaves = enabled;
}

void FakeApiServer::fail_next(RequestMatcher matcher, Fault fault, int times) {
  const MutexLock lock(core_->mutex);
  core_->world.faults.add(std::move(matcher), std::move(fault), times);
}

std::size_t FakeApiServer::faults_left() const {
  const MutexLock lock(core_->mutex);
  return core_->world.faults.size();
}

void FakeApiServer::clear_faults() {
  const MutexLock lock(core_->mutex);
  core_->world.faults.clear();
}

std::shared_ptr<Hold> FakeApiServer::hold_next(RequestMatcher matcher, HoldPoint point) {
  auto hold = std::make_shared<PendingHold>(PendingHold{std::move(matcher), point});
  const MutexLock lock(core_->mutex);
  core_->world.holds.push_back(hold);
  return std::make_shared<HoldHandle>(*core_, std::move(hold));
}

void FakeApiServer::compact() {
  const MutexLock lock(core_->mutex);
  core_->world.storage.compact();
}

void FakeApiServer::close_watches(const std::string& client) {
  const MutexLock lock(core_->mutex);
  finish_streams(core_->world, client, WatchStream::End::Regular);
}

void FakeApiServer::break_watches(const std::string& client) {
  const MutexLock lock(core_->mutex);
  finish_streams(core_->world, client, WatchStream::End::Broken);
}

void FakeApiServer::repeat_next_events(int count) {
  const MutexLock lock(core_->mutex);
  core_->world.storage.repeat_next_events(count);
}

void FakeApiServer::partition(const std::string& client, bool partitioned) {
  const MutexLock lock(core_->mutex);
  if (partitioned) {
    core_->world.partitioned.insert(client);
    finish_streams(core_->world, client, WatchStream::End::Broken);
  } else {
    core_->world.partitioned.erase(client);
  }
  core_->changed->notify_all();
}

void FakeApiServer::freeze(const std::string& client, bool frozen) {
  const MutexLock lock(core_->mutex);
  if (frozen) {
    core_->world.frozen.try_emplace(client, core_->clock.monotonic_now());
  } else {
    core_->world.frozen.erase(client);
  }
  wake_streams_of(core_->world, client);
  core_->changed->notify_all();
}

std::optional<Json> FakeApiServer::object(const kube::ResourceType& type, const kube::ObjectKey& key) const {
  const MutexLock lock(core_->mutex);
  const ObjectPtr found = core_->world.storage.get(table_of(core_->world, type), key);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

std::vector<Json> FakeApiServer::objects(const kube::ResourceType& type,
                                         const std::string& namespace_) const {
  const MutexLock lock(core_->mutex);
  std::vector<Json> result;
  for (const auto& [key, object] : table_of(core_->world, type).objects) {
    if (namespace_.empty() || key.namespace_ == namespace_) {
      result.push_back(*object);
    }
  }
  return result;
}

std::uint64_t FakeApiServer::revision() const {
  const MutexLock lock(core_->mutex);
  return core_->world.storage.revision();
}

std::size_t FakeApiServer::open_watches(const std::string& client) const {
  const MutexLock lock(core_->mutex);
  return static_cast<std::size_t>(std::ranges::count_if(core_->world.streams, [&](const WatchStream* stream) {
    return stream->is_open() && (client.empty() || stream->owner().client == client);
  }));
}

std::vector<WriteRecord> FakeApiServer::writes() const {
  const MutexLock lock(core_->mutex);
  return core_->world.writes;
}

std::size_t FakeApiServer::write_count(const std::string& client) const {
  const MutexLock lock(core_->mutex);
  return static_cast<std::size_t>(std::ranges::count_if(core_->world.writes, [&](const WriteRecord& write) {
    return client.empty() || write.client == client;
  }));
}

std::size_t FakeApiServer::request_count(const std::string& client) const {
  const MutexLock lock(core_->mutex);
  std::size_t count = 0;
  for (const auto& [name, requests] : core_->world.request_counts) {
    count += client.empty() || client == name ? requests : 0;
  }
  return count;
}

void FakeApiServer::forget_requests() {
  const MutexLock lock(core_->mutex);
  core_->world.writes.clear();
  core_->world.request_counts.clear();
}

Json FakeApiServer::put(const kube::ResourceType& type, Json object) {
  const MutexLock lock(core_->mutex);
  ApiWorld& world = core_->world;
  Table& table = table_of(world, type);
  const auto key = kube::meta_from_json(object).key();
  ObjectPtr current = world.storage.get(table, key);
  if (current == nullptr) {
    current = expect(create_object(world.storage, table, key.namespace_, object, kPerson));
    object["metadata"] = (*current)["metadata"];
  }
  const ObjectPtr stored = replace_all(world, table, current, std::move(object));
  collect_if_enabled(world);
  return *stored;
}

Json FakeApiServer::edit(const kube::ResourceType& type, const kube::ObjectKey& key,
                         const std::function<void(Json&)>& change) {
  const MutexLock lock(core_->mutex);
  ApiWorld& world = core_->world;
  Table& table = table_of(world, type);
  const ObjectPtr current = world.storage.get(table, key);
  if (current == nullptr) {
    throw std::runtime_error(qualified(type) + " " + key.str() + " does not exist");
  }
  Json wanted = *current;
  change(wanted);
  const ObjectPtr stored = replace_all(world, table, current, std::move(wanted));
  collect_if_enabled(world);
  return *stored;
}

void FakeApiServer::remove(const kube::ResourceType& type, const kube::ObjectKey& key) {
  const MutexLock lock(core_->mutex);
  ApiWorld& world = core_->world;
  const auto deletion = delete_object(world.storage, table_of(world, type), key, {}, kPerson);
  if (!deletion) {
    throw std::runtime_error(deletion.error().message);
  }
  collect_if_enabled(world);
}

}  // namespace convoke::fakes
