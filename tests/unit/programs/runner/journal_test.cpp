#include "programs/runner/journal.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/fakes/fake_clock.h"
#include "tests/unit/programs/runner/runner_fixtures.h"

namespace convoke::runner {
namespace {

using ::testing::HasSubstr;

TEST(Journal, AFileThatCannotBeOpenedIsNamed) {
  fakes::FakeClock clock;
  EXPECT_THAT(Journal::open("/no/such/folder/journal", "a", clock, Logger()).error().message,
              HasSubstr("/no/such/folder/journal"));
}

TEST(Journal, WithoutAPathNothingIsKept) {
  fakes::FakeClock clock;
  (*Journal::open("", "a", clock, Logger()))->write("start", api::Task::from_json(task_json("a", "id-1")));
}

TEST(Journal, LinesAreAppended) {
  fakes::FakeClock clock;
  const auto path = ::testing::TempDir() + "/runner_journal_test-" + std::to_string(::getpid());
  std::remove(path.c_str());
  const auto task = api::Task::from_json(task_json("a", "id-1"));
  (*Journal::open(path, "builder-1", clock, Logger()))->write("start", task);
  (*Journal::open(path, "builder-1", clock, Logger()))->write("end", task, {{"exit", 3}});
  std::ifstream in(path);
  std::string first;
  std::string second;
  std::getline(in, first);
  std::getline(in, second);
  auto line = *parse_json(first);
  line.erase("pid");
  EXPECT_EQ(line, (Json{{"time", "2026-01-01T00:00:00.000000Z"},
                        {"event", "start"},
                        {"agent", "builder-1"},
                        {"namespace", "default"},
                        {"task", "a"},
                        {"uid", "uid-a"},
                        {"attempt", 1},
                        {"assignment", "id-1"}}));
  EXPECT_EQ((*parse_json(second))["exit"], 3);
  std::remove(path.c_str());
}

}  // namespace
}  // namespace convoke::runner
