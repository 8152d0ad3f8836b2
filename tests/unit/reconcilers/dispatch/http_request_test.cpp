#include "reconcilers/dispatch/http_request.h"

#include <gtest/gtest.h>

namespace convoke::dispatch {
namespace {

TEST(Traceparent, IsTheSameForTheSameAssignment) {
  const std::string uid = "0123ABCD-89ab-4cde-8123-456789abcdef";
  const std::string first = traceparent(uid, "a-1");
  EXPECT_EQ(first, traceparent(uid, "a-1"));
  EXPECT_EQ(first.substr(0, 36), "00-0123abcd89ab4cde8123456789abcdef-");
  EXPECT_NE(first, traceparent(uid, "a-2"));
  EXPECT_EQ(first.substr(0, 35), traceparent(uid, "a-2").substr(0, 35));
}

TEST(Traceparent, IsValidForAnyUid) {
  for (const char* uid : {"", "x", "00000000-0000-0000-0000-000000000000"}) {
    const std::string text = traceparent(uid, "");
    EXPECT_EQ(text.size(), 55U);
    EXPECT_NE(text.substr(3, 32), std::string(32, '0'));
  }
}

TEST(TaskBody, HoldsWhatTheServiceNeeds) {
  api::Task task;
  task.meta.name = "t";
  task.meta.creation_timestamp = "2026-01-01T00:00:00Z";
  task.spec.parameters = R"({"a":[1]})";
  task.spec.deadline = std::chrono::hours(1);
  task.status.assignment.id = "id-1";
  task.status.assignment.fencing = {{"lock", 7}};
  const auto body = *parse_json(task_body(task, std::chrono::milliseconds(1500)));
  EXPECT_EQ(body["task"]["parameters"]["a"][0], 1);
  EXPECT_EQ(body["assignmentID"], "id-1");
  EXPECT_EQ(body["fencing"]["lock"], 7);
  EXPECT_EQ(body["timeout"], "1.5s");
  EXPECT_EQ(body["deadline"], "2026-01-01T01:00:00Z");
}

}  // namespace
}  // namespace convoke::dispatch
