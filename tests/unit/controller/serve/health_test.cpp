#include "controller/serve/health.h"

#include <gtest/gtest.h>

namespace convoke::serve {
namespace {

ServeResponse get(const Health& health, const std::string& path, const std::string& query = "") {
  return health.handle({"GET", path, query});
}

Health ready_with(Status caches) {
  Health health;
  health.add_ready_check("caches", [caches] { return caches; });
  health.add_ready_check("leader", [] { return Status{}; });
  return health;
}

const Error kNotSynced{ErrorCode::Unavailable, "no list of tasks yet"};

TEST(Health, FailedCheckIsNamedWithItsReason) {
  const auto answer = get(ready_with(kNotSynced), "/readyz");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body,
            "[+]ping ok\n[-]caches failed: no list of tasks yet\n[+]leader ok\nreadyz check failed\n");
}

TEST(Health, ChecksOfReadyzDoNotFailHealthz) {
  EXPECT_EQ(get(ready_with(kNotSynced), "/healthz").status, 200);
}

TEST(Health, OneCheckIsAskedByItsPath) {
  const auto health = ready_with(kNotSynced);
  EXPECT_EQ(get(health, "/readyz/caches").status, 503);
  EXPECT_EQ(get(health, "/readyz/leader").status, 200);
  EXPECT_EQ(get(health, "/readyz/leader").body, "ok");
}

TEST(Health, UnknownCheckIsNotFound) {
  const auto answer = get(ready_with({}), "/readyz/nonsense");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.body, "there is no check \"nonsense\"\n");
}

TEST(Health, ExcludedCheckDoesNotCount) {
  const auto answer = get(ready_with(kNotSynced), "/readyz", "verbose&exclude=caches");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "[+]ping ok\n[+]caches excluded: ok\n[+]leader ok\nreadyz check passed\n");
}

TEST(Health, AllIsWellInOneWordUnlessVerbose) {
  const auto health = ready_with({});
  EXPECT_EQ(get(health, "/readyz").body, "ok");
  EXPECT_EQ(get(health, "/readyz", "verbose").body,
            "[+]ping ok\n[+]caches ok\n[+]leader ok\nreadyz check passed\n");
}

TEST(Health, ServesItsOwnPathsOnly) {
  EXPECT_TRUE(Health::serves("/healthz"));
  EXPECT_TRUE(Health::serves("/readyz/caches"));
  EXPECT_FALSE(Health::serves("/readyzz"));
  EXPECT_FALSE(Health::serves("/metrics"));
}

}  // namespace
}  // namespace convoke::serve
