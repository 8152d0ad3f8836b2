#include "programs/operator/audit_file.h"

#include <fstream>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/kube/json.h"
#include "tests/fakes/fake_clock.h"
#include "tests/unit/controller/kube/temp_directory.h"

namespace convoke::programs {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AuditFileTest : public ::testing::Test {
 protected:
  std::unique_ptr<AuditFile> open_log(const std::string& path) {
    return std::make_unique<AuditFile>(clock_, Logger(), registry_, path, "me_1");
  }
  static api::AuditEntry entry(const std::string& name) {
    api::AuditEntry entry;
    entry.object = {api::kTask, "default", name, "uid-" + name, "7"};
    entry.from = "Queued";
    entry.to = "Assigned";
    return entry;
  }
  // The names in the file, or the text of a line that is no JSON object.
  static std::vector<std::string> names(const std::string& path) {
    std::vector<std::string> found;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      const auto object = parse_json(line);
      found.push_back(object && object->is_object() ? (*object)["name"].get<std::string>() : line);
    }
    return found;
  }
  bool blocked() const {
    return prometheus::TextSerializer().Serialize(registry_.Collect()).find("\nconvoke_audit_blocked 1\n") !=
           std::string::npos;
  }

  fakes::FakeClock clock_;
  prometheus::Registry registry_;
  kube::TempDirectory directory_;
  const std::string path_ = directory_.path() + "/audit.log";
};

TEST_F(AuditFileTest, AFolderThatIsNotThereIsToldAtTheStart) {
  const auto opened = open_log(directory_.path() + "/missing/audit.log")->open();
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("missing/audit.log"));
}

TEST_F(AuditFileTest, ItWaitsUntilTheFileCanBeWrittenAndKeepsTheOrder) {
  const std::string folder = directory_.path() + "/later";
  const auto log = open_log(folder + "/audit.log");
  const auto writer = clock_.start_thread("writer", [&] {
    log->record(entry("a"));
    log->record(entry("b"));
  });
  clock_.settle();
  EXPECT_TRUE(blocked());
  ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
  clock_.advance(1s);
  writer->join();
  EXPECT_FALSE(blocked());
  EXPECT_THAT(names(folder + "/audit.log"), ElementsAre("a", "b"));
}

TEST_F(AuditFileTest, StoppingEndsTheWait) {
  const auto log = open_log(directory_.path() + "/never/audit.log");
  const auto writer = clock_.start_thread("writer", [&] { log->record(entry("a")); });
  clock_.settle();
  log->stop();
  writer->join();
}

TEST_F(AuditFileTest, AFileThatWasRenamedIsFollowedByANewOne) {
  const auto log = open_log(path_);
  log->record(entry("a"));
  ASSERT_EQ(::rename(path_.c_str(), (path_ + ".1").c_str()), 0);
  log->record(entry("b"));
  EXPECT_THAT(names(path_ + ".1"), ElementsAre("a"));
  EXPECT_THAT(names(path_), ElementsAre("b"));
}

TEST_F(AuditFileTest, AFileThatWasTruncatedGoesOnAtItsBeginning) {
  const auto log = open_log(path_);
  log->record(entry("a"));
  ASSERT_EQ(::truncate(path_.c_str(), 0), 0);
  log->record(entry("b"));
  EXPECT_THAT(names(path_), ElementsAre("b"));
}

TEST_F(AuditFileTest, ALineThatACrashCutShortIsEndedFirst) {
  std::ofstream(path_) << R"({"name":"tor)";
  open_log(path_)->record(entry("a"));
  EXPECT_THAT(names(path_), ElementsAre(R"({"name":"tor)", "a"));
}

TEST(AuditLine, SaysWhatWhyAndWho) {
  api::AuditEntry entry;
  entry.object = {api::kTask, "default", "build", "u-1", "42"};
  entry.generation = 3;
  entry.from = "Queued";
  entry.to = "Assigned";
  entry.reason = "Assigned";
  entry.attempt = 2;
  entry.agent_name = "builder";
  entry.assignment = {"id-1", "CapabilityMatch", "10", 2, "", {{"other", "is full (1 of 1)"}}, {}};
  const auto line = parse_json(audit_line(entry, WallTime(0s), 5, 9, "me_1"));
  ASSERT_TRUE(line);
  EXPECT_EQ(*line, *parse_json(R"json({
    "time": "1970-01-01T00:00:00.000000Z", "action": "Status", "kind": "Task", "namespace": "default",
    "name": "build", "uid": "u-1", "resourceVersion": "42", "generation": 3, "from": "Queued", "to": "Assigned",
    "reason": "Assigned", "by": "operator", "attempt": 2, "agent": "builder",
    "assignment": {"id": "id-1", "strategy": "CapabilityMatch", "score": "10", "candidates": 2,
                   "rejected": [{"agent": "other", "reason": "is full (1 of 1)"}]},
    "reconcileID": 9, "operator": "me_1", "number": 5})json"));
}

}  // namespace
}  // namespace convoke::programs
