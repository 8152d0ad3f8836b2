// A Kubernetes API server in the same process, for tests: a world of objects, clients that connect to it, and
// a script of faults.
//
//   FakeClock clock;
//   FakeApiServer server(clock);
//   register_convoke_types(server);                       // fake_api_types.h
//   auto transport = server.connect("operator");          // a kube::Transport
//   server.fail_next({.method = "PATCH"}, Fault::drop_answer());
//   ...
//   EXPECT_EQ((*server.object(kTask, {"default", "a"}))["status"]["phase"], "Succeeded");
//
// It is faithful where a client could tell the difference: one rising resourceVersion, conflicts, generation,
// /status, finalizers, preconditions, ownerReferences, selectors, pages, watches with bookmarks and a bounded
// history. The same tests run against it and a real API server (tests/integration/api_contract_test.cpp).
// Known simplifications: no schemas, no field ownership (an apply merges), admission is one hook for each
// type, no dryRun. Start reading at api_verbs.h, then api_writes.h, api_watch.h and api_storage.h.
//
// Thread safety: every method may be called from every thread. A type's hooks run under the server's lock and
// must not call it. All waiting goes through the clock, fake or real. Ownership: the server outlives its
// connections and their streams; the clock outlives the server. Errors: the direct edits throw
// std::runtime_error where the API would refuse them: the test is wrong.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "controller/kube/json.h"
#include "controller/kube/object.h"
#include "controller/kube/transport.h"
#include "tests/fakes/api_faults.h"
#include "tests/fakes/api_hold.h"
#include "tests/fakes/api_storage.h"
#include "tests/fakes/api_write_record.h"

namespace convoke::fakes {

struct ApiCore;  // api_core.h

class FakeApiServer {
 public:
  explicit FakeApiServer(Clock& clock);
  ~FakeApiServer();
  FakeApiServer(const FakeApiServer&) = delete;
  FakeApiServer& operator=(const FakeApiServer&) = delete;

  // Types that were not registered are answered with 404.
  void register_type(const kube::ResourceType& type, TypeOptions options = {});
  std::unique_ptr<kube::Transport> connect(const std::string& client);

  // How it behaves.
  void set_garbage_collection(bool enabled);   // default on: at once, with the write that caused it
  void collect_garbage();                      // once, also if it is off
  void set_require_namespaces(bool required);  // default off
  void set_streaming_lists(bool supported);    // default on
  void set_gone_as_status(bool enabled);  // watches that are too old get HTTP 410 instead of an ERROR event
  void set_history_limit(std::size_t events);  // of each type, default 10000
  void set_chunk_bytes(std::size_t bytes);     // the most that one read of a stream gives; 0: no limit
  void set_latency(Duration latency);          // of every request
  void set_interleaving(bool enabled);         // other threads get a turn before and after every request

  // Faults.
  void fail_next(RequestMatcher matcher, Fault fault, int times = 1);
  std::size_t faults_left() const;
  void clear_faults();
  std::shared_ptr<Hold> hold_next(RequestMatcher matcher, HoldPoint point = HoldPoint::BeforeCarryingOut);
  void compact();                                      // forgets the history and all continue tokens
  void close_watches(const std::string& client = {});  // a regular end; empty: of all clients
  void break_watches(const std::string& client = {});  // a broken connection
  void repeat_next_events(int count);                  // each is delivered twice
  // Refuses a client's connections and breaks its watches.
  void partition(const std::string& client, bool partitioned);
  // A black hole: requests hang until their deadline or the thaw, watches stay silent.
  void freeze(const std::string& client, bool frozen);

  // The world.
  std::optional<Json> object(const kube::ResourceType& type, const kube::ObjectKey& key) const;
  std::vector<Json> objects(const kube::ResourceType& type, const std::string& namespace_ = {}) const;
  std::uint64_t revision() const;
  std::size_t open_watches(const std::string& client = {}) const;

  // What clients sent.
  std::vector<WriteRecord> writes() const;
  std::size_t write_count(const std::string& client = {}) const;
  std::size_t request_count(const std::string& client = {}) const;  // reads and watches too
  void forget_requests();

  // Edits as a person, who may also write status.
  Json put(const kube::ResourceType& type, Json object);  // creates, or replaces what is there
  Json edit(const kube::ResourceType& type, const kube::ObjectKey& key,
            const std::function<void(Json&)>& change);
  void remove(const kube::ResourceType& type, const kube::ObjectKey& key);

 private:
  std::unique_ptr<ApiCore> core_;
};

}  // namespace convoke::fakes
