// A World that the API server keeps up to date: a run, its Tasks, and what they bring with them. Watches that
// are cut go on by themselves.
//
// Thread safety: all methods from one thread; the reflectors' threads are inside. Ownership: what the
// constructor takes outlives this.
// Errors: problem() says what keeps the picture from being fresh; it goes away by itself.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controller/base/mutex.h"
#include "controller/runtime/reflector.h"
#include "programs/kubectl-convoke/world.h"

namespace convoke::plugin {

// What the reflectors' sinks write and the reader reads: the objects of each watch, by name. Thread-safe.
class Picture {
 public:
  explicit Picture(Clock& clock) : clock_(clock), changed_(clock.make_condition()) {}

  void replace(std::size_t watch, const kube::ResourceType& type, std::map<std::string, Json> objects);
  void put(std::size_t watch, const Json& object);
  void remove(std::size_t watch, const std::string& name);
  World copy();
  // Until something changed since the last copy(), or the time is over; true if it changed.
  bool wait(Duration at_most);

 private:
  struct Watched {
    bool runs = false;
    std::map<std::string, Json> objects;
  };
  void told() REQUIRES(mutex_);

  Clock& clock_;
  Mutex mutex_;
  const std::unique_ptr<Condition> changed_;
  bool news_ GUARDED_BY(mutex_) = false;
  std::map<std::size_t, Watched> watched_ GUARDED_BY(mutex_);
};

class LiveWorld {
 public:
  LiveWorld(kube::Client& client, Clock& clock, Random& random, std::string its_namespace);
  ~LiveWorld();

  // Follows this run, its Tasks and its sub-runs. Once for each name.
  void follow(const std::string& run);
  // What is known now. Sub-runs and subtasks that it shows for the first time are followed from then on.
  World snapshot();
  // True once everything that is followed was read completely.
  bool complete() const;
  // Until something changed since the last snapshot, or the time is over; true if it changed.
  bool wait(Duration at_most) { return picture_.wait(at_most); }
  // The connection's trouble, empty while there is none.
  std::string problem() const;

 private:
  void add(const kube::ResourceType& type, const std::string& label_selector,
           const std::string& field_selector);
  void follow_news(const World& world);

  kube::Client& client_;
  Clock& clock_;
  Random& random_;
  const std::string namespace_;
  const Logger log_;
  Picture picture_;
  std::vector<std::string> followed_;  // "run/x", "task/y"
  std::vector<std::unique_ptr<runtime::Reflector>> reflectors_;
};

}  // namespace convoke::plugin
