// Keeps one Store equal to the API server's state: streaming list (falling back to a paged list), watch with
// bookmarks, resume after a break, relist after 410, with backoff and jitter. One thread for each reflector.
//
// Thread safety: start, stop and synced from every thread.
// Errors: none come out; they are logged and retried, except that a resource that does not exist (404: CRD
// not installed yet) is said in a clear log line and in last_error().
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/random.h"
#include "controller/kube/client.h"
#include "controller/runtime/store.h"

namespace convoke::runtime {

struct ReflectorSource {
  kube::ResourceType type;
  std::string namespace_ = {};  // empty: all
  std::string label_selector = {};
  std::string field_selector = {};
};

// Where a reflector's objects go; StoreSink<T> below puts them into a Store<T>.
class ReflectorSink {
 public:
  virtual ~ReflectorSink() = default;
  // A complete list arrives as begin_replace, add_to_replace..., finish_replace.
  virtual void begin_replace() = 0;
  virtual void add_to_replace(const Json& object) = 0;
  virtual void finish_replace(const std::string& resource_version) = 0;
  virtual void apply(const Json& object) = 0;
  virtual void remove(const Json& object) = 0;
};

template <class T>
class StoreSink final : public ReflectorSink {
 public:
  // `only_namespace` is that of the reflector's source: several reflectors, each of a namespace, may feed one
  // store.
  explicit StoreSink(Store<T>& store, std::string only_namespace = {})
      : store_(store), namespace_(std::move(only_namespace)) {}
  void begin_replace() override { pending_.clear(); }
  void add_to_replace(const Json& object) override {
    pending_.push_back(std::make_shared<const T>(T::from_json(object)));
  }
  void finish_replace(const std::string& resource_version) override {
    store_.replace(std::move(pending_), resource_version, namespace_);
    pending_ = {};
  }
  void apply(const Json& object) override { store_.apply(std::make_shared<const T>(T::from_json(object))); }
  void remove(const Json& object) override {
    const auto meta = kube::meta_from_json(object);
    store_.remove(meta.key(), meta.uid, meta.resource_version);
  }

 private:
  Store<T>& store_;
  const std::string namespace_;
  std::vector<typename Store<T>::Ptr> pending_;
};

// What a reflector knows of itself, for metrics.
struct ReflectorState {
  bool synced = false;
  MonotonicTime heard_at;  // when the API server last sent anything; at first, when the reflector was made
  unsigned long lists = 0;
  unsigned long failures = 0;
};

class Reflector {
 public:
  Reflector(kube::Client& client, Clock& clock, Random& random, const Logger& log, ReflectorSource source,
            std::unique_ptr<ReflectorSink> sink);
  ~Reflector();

  void start();
  void stop();  // joins
  // True once the first complete list is in the store.
  bool synced() const;
  // Blocks until synced (true), stopped or the deadline (false).
  bool wait_synced(Duration timeout);
  // The last error, empty while all is well; for /readyz and messages.
  std::string last_error() const;
  ReflectorState state() const;
  // "tasks.convoke.dev"
  const std::string& resource() const;
  const ReflectorSource& source() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace convoke::runtime
