// Reflector and store under random faults, random schedules and a writer that overlays its answers: the cache
// never goes back in time and ends equal to the server.

#include <algorithm>
#include <map>

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include "controller/kube/client_metrics.h"
#include "controller/runtime/reflector.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/fake_api_types.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/controller/runtime/note.h"

namespace convoke::runtime {
namespace {

using namespace std::chrono_literals;
using fakes::Fault;

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : clock_({.seed = seed}), random_(make_seeded_random(seed)) {
    fakes::register_builtin_types(server_);
    server_.set_streaming_lists(one_in(2));
    server_.set_gone_as_status(one_in(2));
    server_.set_chunk_bytes(one_in(2) ? 0 : 1 + below(300));
    server_.set_interleaving(true);
    store_.add_handler([this](const Store<Note>::Change& change) { check_order(change); });
  }

  void run() {
    reflector_.start();
    for (int i = 0; i < 300; ++i) {
      act();
    }
    server_.clear_faults();
    clock_.advance(2min);
    EXPECT_EQ(held(), stored());
    EXPECT_TRUE(reflector_.synced());
    EXPECT_EQ(reflector_.last_error(), "");
    reflector_.stop();
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return random_->next() % limit; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

  void act() {
    const std::string name = "note-" + std::to_string(below(6));
    const std::string text = "text-" + std::to_string(below(1000));
    switch (below(12)) {
      case 0:
      case 1:
        server_.put(kConfigMap, note_json(name, text));
        break;
      case 2:
        if (server_.object(kConfigMap, {"default", name})) {
          server_.remove(kConfigMap, {"default", name});
        }
        break;
      case 3:
      case 4:
        create_ourselves(name, text);
        break;
      case 5:
        change_ourselves(name, text);
        break;
      case 6:
        remove_ourselves(name);
        break;
      case 7:
        server_.break_watches();
        break;
      case 8:
        server_.compact();
        server_.close_watches();
        break;
      case 9:
        server_.fail_next({.method = "WATCH", .client = "cache"}, Fault::cut_stream(below(2000)));
        break;
      case 10:
        server_.fail_next({.client = "cache"}, one_in(2) ? Fault::drop_request() : Fault::error(503));
        break;
      default:
        clock_.advance(std::chrono::milliseconds(below(5000)));
    }
    if (one_in(3)) {
      clock_.settle();
    }
  }

  void create_ourselves(const std::string& name, const std::string& text) {
    overlay_answer(writer_.create(kConfigMap, note_json(name, text)));
  }

  void change_ourselves(const std::string& name, const std::string& text) {
    overlay_answer(writer_.patch(kConfigMap, {"default", name}, {{"data", {{"text", text}}}}, {}));
  }

  void remove_ourselves(const std::string& name) {
    const auto note = store_.get({"default", name});
    if (note && writer_.remove(kConfigMap, note->meta.key(), {.uid = note->meta.uid})) {
      store_.overlay_removed(note->meta.key(), note->meta.uid);
      const auto now = store_.get(note->meta.key());
      EXPECT_TRUE(now == nullptr || now->meta.uid != note->meta.uid) << "our own delete is seen at once";
    }
  }

  void overlay_answer(const Result<Json>& answer) {
    if (!answer) {
      return;
    }
    const auto note = std::make_shared<const Note>(Note::from_json(*answer));
    store_.overlay(note);
    const auto now = store_.get(note->meta.key());
    ASSERT_NE(now, nullptr) << "our own write is seen at once";
    EXPECT_GE(kube::resource_version_number(now->meta.resource_version),
              kube::resource_version_number(note->meta.resource_version));
  }

  // No version of an object is seen after a newer one of the same uid.
  void check_order(const Store<Note>::Change& change) {
    if (change.after == nullptr) {
      return;
    }
    const auto version = kube::resource_version_number(change.after->meta.resource_version);
    auto& newest = newest_[change.after->meta.uid];
    EXPECT_GT(version, newest) << change.after->meta.name;
    newest = version;
  }

  std::vector<std::string> held() const {
    std::vector<std::string> result;
    for (const auto& note : store_.list()) {
      result.push_back(note->meta.name + "@" + note->meta.resource_version + "=" + note->text);
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  std::vector<std::string> stored() const {
    std::vector<std::string> result;
    for (const Json& object : server_.objects(kConfigMap)) {
      const Note note = Note::from_json(object);
      result.push_back(note.meta.name + "@" + note.meta.resource_version + "=" + note.text);
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  fakes::FakeClock clock_;
  fakes::FakeApiServer server_{clock_};
  std::unique_ptr<Random> random_;
  prometheus::Registry registry_;
  kube::ClientMetrics metrics_{registry_, "fake"};
  std::unique_ptr<kube::Transport> cache_transport_ = server_.connect("cache");
  std::unique_ptr<kube::Transport> writer_transport_ = server_.connect("writer");
  kube::Client cache_{*cache_transport_, clock_, *random_, metrics_};
  kube::Client writer_{*writer_transport_, clock_, *random_, metrics_};
  Store<Note> store_;
  std::map<std::string, std::uint64_t> newest_;
  Reflector reflector_{cache_,   clock_,       *random_,
                       Logger(), {kConfigMap}, std::make_unique<StoreSink<Note>>(store_)};
};

TEST(ReflectorSimulation, TheCacheNeverGoesBackAndEndsEqualToTheServer) {
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Simulation(seed).run();
    if (::testing::Test::HasFailure()) {
      return;
    }
  }
}

}  // namespace
}  // namespace convoke::runtime
