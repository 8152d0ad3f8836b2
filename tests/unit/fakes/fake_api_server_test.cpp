#include "tests/fakes/fake_api_server.h"

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/unit/fakes/api_fixture.h"

namespace convoke::fakes {
namespace {

constexpr int kWriters = 3;
constexpr int kTasksEach = 20;

// Writes as many Tasks as were asked for, one after the other.
void write_tasks(FakeApiServer& server, const std::string& client) {
  const auto transport = server.connect(client);
  RawApi api(*transport);
  for (int i = 0; i < kTasksEach; ++i) {
    const std::string name = client + "-" + std::to_string(i);
    EXPECT_EQ(api.create(kTestTask, "ns", named({"ns", name})).status, 201);
    EXPECT_EQ(api.merge_patch(kTestTask, {"ns", name}, {{"spec", {{"type", "build"}}}}).status, 200);
  }
}

TEST(FakeApiServer, ServesManyThreadsOfTheMachineAtOnce) {
  SystemClock clock;
  FakeApiServer server(clock);
  register_convoke_types(server);
  const auto transport = server.connect("watcher");
  auto watch = RawApi(*transport).watch(kTestTask, "ns", "resourceVersion=1");
  std::vector<std::unique_ptr<Thread>> writers;
  for (int i = 0; i < kWriters; ++i) {
    const std::string client = "writer-" + std::to_string(i);
    writers.push_back(clock.start_thread(client, [&server, client] { write_tasks(server, client); }));
  }
  std::set<std::string> seen;
  std::uint64_t last_revision = 0;
  for (int i = 0; i < kWriters * kTasksEach * 2; ++i) {
    const auto event = watch.next();
    ASSERT_TRUE(event);
    const auto meta = kube::meta_from_json((*event)["object"]);
    const std::uint64_t revision = kube::resource_version_number(meta.resource_version);
    EXPECT_LT(last_revision, revision);
    last_revision = revision;
    seen.insert(meta.name);
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kWriters * kTasksEach));
  EXPECT_EQ(server.write_count("writer-0"), static_cast<std::size_t>(kTasksEach * 2));
}

TEST(FakeApiServer, DirectEditsOfUnknownTypesOrObjectsThrow) {
  FakeClock clock;
  FakeApiServer server(clock);
  EXPECT_THROW(server.put(kTestTask, named({"ns", "a"})), std::runtime_error);
  register_convoke_types(server);
  EXPECT_THROW(server.edit(kTestTask, {"ns", "a"}, [](Json&) {}), std::runtime_error);
  EXPECT_THROW(server.put(kTestTask, named({"ns", "Not_A_Name"})), std::runtime_error);
  EXPECT_EQ(server.object(kTestTask, {"ns", "a"}), std::nullopt);
}

}  // namespace
}  // namespace convoke::fakes
