#include "reconcilers/agent/attempt_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reconcilers/agent/performance.h"
#include "tests/unit/reconcilers/agent/now.h"

namespace convoke::agent {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const kube::ObjectKey kKey{"default", "a"};

EndedAttempt numbered_attempt(int number) {
  return {"id-" + std::to_string(number), "build", true, kNow + number * 1s, 1s};
}

class AttemptLedgerTest : public ::testing::Test {
 protected:
  AttemptLedgerTest() {
    agent.meta.namespace_ = "default";
    agent.meta.name = "a";
  }
  void count_up_to(int last) {
    for (int i = 0; i <= last; ++i) count(agent.status, numbered_attempt(i));
  }
  std::vector<std::string> uncounted() {
    std::vector<std::string> ids;
    for (const EndedAttempt& ended : ledger.uncounted(agent)) ids.push_back(ended.id);
    return ids;
  }

  api::Agent agent;
  AttemptLedger ledger;
};

TEST_F(AttemptLedgerTest, WhatAStatusHoldsAlreadyIsNotCountedAgain) {
  count_up_to(40);
  for (int i = 42; i >= 0; --i) ledger.add(kKey, numbered_attempt(i), false);
  EXPECT_THAT(uncounted(), ElementsAre("id-41", "id-42"));
}

TEST_F(AttemptLedgerTest, WhatTheLeaderSawToEndCountsWhateverItsClockSays) {
  count_up_to(40);
  EndedAttempt late = numbered_attempt(0);
  late.id = "late";
  ledger.add(kKey, late, true);
  ledger.add(kKey, late, true);
  EXPECT_THAT(uncounted(), ElementsAre("late"));
  ledger.counted(kKey, {late});
  EXPECT_THAT(uncounted(), IsEmpty());
}

TEST_F(AttemptLedgerTest, AnAttemptThatIsForgottenLeavesNothingBehind) {
  for (int i = 0; i < 2; ++i) ledger.add(kKey, numbered_attempt(i), false);
  ledger.forget(kKey, numbered_attempt(0));
  EXPECT_THAT(ledger.agents(), SizeIs(1));
  ledger.forget(kKey, numbered_attempt(1));
  EXPECT_THAT(ledger.agents(), IsEmpty());
}

TEST_F(AttemptLedgerTest, AfterAWriteWithoutAnAnswerTheStatusTells) {
  std::vector<EndedAttempt> batch;
  for (int i = 0; i < 30; ++i) {
    batch.push_back(numbered_attempt(i));
    ledger.add(kKey, numbered_attempt(i), true);
  }
  ledger.maybe_counted(kKey, batch);
  EXPECT_THAT(uncounted(), SizeIs(30)) << "it was lost";
  count_up_to(29);
  EXPECT_THAT(uncounted(), IsEmpty()) << "it was applied";
}

}  // namespace
}  // namespace convoke::agent
