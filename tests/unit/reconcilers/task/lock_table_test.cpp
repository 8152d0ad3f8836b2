#include "reconcilers/task/lock_table.h"

#include <algorithm>
#include <list>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/base/random.h"

namespace convoke::task {
namespace {

using api::LockMode;
using api::LockRequest;
using ::testing::ElementsAre;

const LockRequest kWrite{"a", LockMode::Exclusive, 0};
const LockRequest kRead{"a", LockMode::Shared, 0};

LockRecord held_by(const std::vector<std::pair<std::string, LockRequest>>& holders,
                   const std::string& foreign = "") {
  LockRecord record;
  for (const auto& [uid, request] : holders) {
    record.holders.push_back({uid, uid, request.mode, request.permits, 1, ""});
  }
  record.foreign = foreign;
  return record;
}

class LockTableTest : public ::testing::Test {
 protected:
  TaskEntry& task(const std::string& name, int priority, std::vector<LockRequest> locks) {
    TaskEntry& entry = entries[name];
    entry.key = {"default", name};
    entry.urgency = {priority, "", name, ""};
    entry.locks = in_order(std::move(locks));
    return entry;
  }
  TaskEntry& queue(const std::string& name, int priority, std::vector<LockRequest> locks) {
    TaskEntry& entry = task(name, priority, std::move(locks));
    table.enqueue(entry);
    return entry;
  }
  std::vector<std::string> clear() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries) {
      if (entry.lock_state == TaskEntry::LockState::Queued && LockTable::is_clear(entry)) {
        names.push_back(name);
      }
    }
    return names;
  }
  void hold(const std::vector<std::pair<std::string, LockRequest>>& holders) {
    table.set_holders({"default", "a"}, held_by(holders));
  }

  std::map<std::string, TaskEntry> entries;
  LockTable table;
};

TEST_F(LockTableTest, OfThoseThatWantItExclusiveOnlyTheMostUrgentIsClear) {
  queue("low", 1, {kWrite});
  EXPECT_THAT(clear(), ElementsAre("low"));
  queue("high", 5, {kWrite});
  queue("middle", 3, {kWrite});
  EXPECT_THAT(clear(), ElementsAre("high"));
  table.dequeue(entries["high"]);
  EXPECT_THAT(clear(), ElementsAre("middle"));
}

TEST_F(LockTableTest, ReadersShareButDoNotPassAWriterThatIsMoreUrgent) {
  hold({{"r0", kRead}});
  queue("r1", 5, {kRead});
  queue("w", 4, {kWrite});
  queue("r2", 3, {kRead});
  EXPECT_THAT(clear(), ElementsAre("r1"));
  EXPECT_EQ(table.explain(entries["r2"]).position, 3);
  EXPECT_EQ(table.explain(entries["r2"]).held_by, "Task r0 (Shared)");
  table.dequeue(entries["w"]);
  EXPECT_THAT(clear(), ElementsAre("r1", "r2"));
}

TEST_F(LockTableTest, TheSmallestNumberOfPermitsCounts) {
  hold({{"h", {"a", LockMode::Shared, 3}}});
  queue("t1", 5, {{"a", LockMode::Shared, 10}});
  queue("t2", 4, {{"a", LockMode::Shared, 0}});
  queue("t3", 3, {{"a", LockMode::Shared, 10}});
  EXPECT_THAT(clear(), ElementsAre("t1", "t2"));
  hold({{"h", {"a", LockMode::Shared, 2}}});
  EXPECT_THAT(clear(), ElementsAre("t1"));
}

TEST_F(LockTableTest, WhoWantsTwoIsNotPassedByThoseThatWantOne) {
  const LockRequest b{"b", LockMode::Exclusive, 0};
  table.set_holders({"default", "a"}, held_by({{"x", kWrite}}));
  queue("both", 3, {b, kWrite});
  queue("one", 2, {b});
  EXPECT_THAT(clear(), ElementsAre());
  EXPECT_EQ(table.explain(entries["both"]).name, "a");
  EXPECT_EQ(table.explain(entries["one"]).held_by, "nobody; Task both is next");
  hold({});
  EXPECT_THAT(clear(), ElementsAre("both"));
  table.reserve(entries["both"]);
  EXPECT_THAT(clear(), ElementsAre());
  table.unreserve(entries["both"]);
  EXPECT_THAT(clear(), ElementsAre("one"));
}

TEST_F(LockTableTest, AReservationAndTheLeaseThatNamesItCountOnce) {
  const LockRequest two{"a", LockMode::Shared, 2};
  table.reserve(queue("t1", 5, {two}));
  hold({{"t1", two}});
  queue("t2", 3, {two});
  EXPECT_THAT(clear(), ElementsAre("t2"));
  table.unreserve(entries["t1"]);
  queue("t3", 2, {two});
  EXPECT_THAT(clear(), ElementsAre("t2"));
}

TEST_F(LockTableTest, AForeignHolderKeepsEverybodyOut) {
  table.set_holders({"default", "a"}, held_by({}, "somebody"));
  queue("r", 5, {kRead});
  EXPECT_THAT(clear(), ElementsAre());
  EXPECT_EQ(table.explain(entries["r"]).held_by, "holder somebody");
}

TEST_F(LockTableTest, NothingIsKeptOfALockThatNobodyHoldsOrWants) {
  hold({{"h", kWrite}});
  queue("t", 3, {kWrite});
  hold({});
  table.dequeue(entries["t"]);
  EXPECT_EQ(table.size(), 0U);
}

TEST_F(LockTableTest, LocksOfOtherNamespacesAreOthers) {
  table.set_holders({"elsewhere", "a"}, held_by({{"h", kWrite}}));
  queue("t", 3, {kWrite});
  EXPECT_THAT(clear(), ElementsAre("t"));
}

// --- Against a model that looks at everything ---

struct LockModel {
  using Holders = std::map<std::string, std::map<std::string, LockRequest>>;  // lock -> uid -> how

  static bool get_along(const std::vector<LockRequest>& uses) {
    int exclusive = 0;
    int permits = kMaxLockHolders;
    for (const LockRequest& use : uses) {
      exclusive += use.mode == LockMode::Exclusive ? 1 : 0;
      permits = use.permits > 0 ? std::min(permits, use.permits) : permits;
    }
    return exclusive > 0 ? uses.size() == 1 : static_cast<int>(uses.size()) <= permits;
  }

  // The most urgent that fit besides those who have the lock, up to the first that does not.
  static std::set<const TaskEntry*> clear_at(const std::string& lock, const Holders& having,
                                             std::vector<const TaskEntry*> queue) {
    std::vector<LockRequest> uses;
    if (const auto found = having.find(lock); found != having.end()) {
      for (const auto& [uid, use] : found->second) {
        uses.push_back(use);
      }
    }
    std::sort(queue.begin(), queue.end(), MostUrgentFirst());
    std::set<const TaskEntry*> clear;
    for (const TaskEntry* entry : queue) {
      const auto wish = std::find_if(entry->locks.begin(), entry->locks.end(),
                                     [&](const LockRequest& request) { return request.name == lock; });
      if (wish == entry->locks.end()) {
        continue;
      }
      uses.push_back(*wish);
      if (!get_along(uses)) {
        break;
      }
      clear.insert(entry);
    }
    return clear;
  }
};

class RandomLocks {
 public:
  explicit RandomLocks(std::uint64_t seed) : random_(make_seeded_random(seed)) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      check();
      if (::testing::Test::HasFailure()) {
        FAIL() << "at step " << i;
      }
    }
    drain();
  }

 private:
  using State = TaskEntry::LockState;

  int draw(int below) { return static_cast<int>(random_->uniform() * below); }

  void step() {
    switch (draw(6)) {
      case 0:
      case 1:
        return add();
      case 2:
        return reserve();
      case 3:
        return confirm();
      case 4:
        return release();
      default:
        return give_up();
    }
  }

  void add() {
    if (entries_.size() > 40) {
      return;
    }
    TaskEntry& entry = entries_.emplace_back();
    const std::string name = "t" + std::to_string(++count_);
    entry.key = {"default", name};
    entry.urgency = {1 + draw(5), std::to_string(draw(9)), name, ""};
    std::vector<LockRequest> locks;
    for (int i = 0; i <= draw(3); ++i) {
      const bool shared = draw(2) == 0;
      locks.push_back({std::string(1, static_cast<char>('a' + draw(4))),
                       shared ? LockMode::Shared : LockMode::Exclusive, shared ? draw(4) : 0});
    }
    entry.locks = in_order(std::move(locks));
    table_.enqueue(entry);
  }

  // The most urgent that is clear gets its locks.
  void reserve() {
    TaskEntry* best = nullptr;
    for (TaskEntry& entry : entries_) {
      if (entry.lock_state == State::Queued && LockTable::is_clear(entry) &&
          (best == nullptr || MostUrgentFirst()(&entry, best))) {
        best = &entry;
      }
    }
    if (best != nullptr) {
      table_.reserve(*best);
      for (const LockRequest& request : best->locks) {
        reserved_[request.name][best->urgency.uid] = request;
      }
    }
  }

  // The Leases name it, and it is assigned.
  void confirm() {
    TaskEntry* entry = any(State::Reserved);
    if (entry == nullptr) {
      return;
    }
    for (const LockRequest& request : entry->locks) {
      held_[request.name][entry->urgency.uid] = request;
      publish(request.name);
    }
    unreserve(*entry);
    remove(*entry);
  }

  void release() {
    std::vector<std::pair<std::string, std::string>> all;
    for (const auto& [lock, holders] : held_) {
      for (const auto& [uid, use] : holders) {
        all.emplace_back(lock, uid);
      }
    }
    if (!all.empty()) {
      const auto& [lock, uid] = all[static_cast<std::size_t>(draw(static_cast<int>(all.size())))];
      held_[lock].erase(uid);
      publish(lock);
    }
  }

  void give_up() {
    if (TaskEntry* entry = any(State::Queued); entry != nullptr && draw(3) == 0) {
      table_.dequeue(*entry);
      return remove(*entry);
    }
    if (TaskEntry* entry = any(State::Reserved); entry != nullptr) {
      unreserve(*entry);
      table_.enqueue(*entry);
    }
  }

  void unreserve(TaskEntry& entry) {
    table_.unreserve(entry);
    for (const LockRequest& request : entry.locks) {
      reserved_[request.name].erase(entry.urgency.uid);
    }
  }

  TaskEntry* any(State state) {
    std::vector<TaskEntry*> found;
    for (TaskEntry& entry : entries_) {
      if (entry.lock_state == state) {
        found.push_back(&entry);
      }
    }
    return found.empty() ? nullptr : found[static_cast<std::size_t>(draw(static_cast<int>(found.size())))];
  }

  void remove(TaskEntry& entry) {
    was_clear_.erase(&entry);
    entries_.remove_if([&entry](const TaskEntry& other) { return &other == &entry; });
  }

  void publish(const std::string& lock) {
    std::vector<std::pair<std::string, LockRequest>> holders(held_[lock].begin(), held_[lock].end());
    table_.set_holders({"default", lock}, held_by(holders));
  }

  void check() {
    LockModel::Holders having = held_;
    for (const auto& [lock, holders] : reserved_) {
      having[lock].insert(holders.begin(), holders.end());
    }
    for (const auto& [lock, holders] : having) {
      std::vector<LockRequest> uses;
      for (const auto& [uid, use] : holders) {
        uses.push_back(use);
      }
      ASSERT_TRUE(uses.empty() || LockModel::get_along(uses)) << "lock " << lock << " is given twice";
    }
    std::vector<const TaskEntry*> queue;
    for (const TaskEntry& entry : entries_) {
      if (entry.lock_state == State::Queued) {
        queue.push_back(&entry);
      }
    }
    std::map<std::string, std::set<const TaskEntry*>> clear;
    for (const char* lock : {"a", "b", "c", "d"}) {
      clear[lock] = LockModel::clear_at(lock, having, queue);
    }
    const std::set<TaskEntry*> changed = table_.take_changed();
    for (const TaskEntry* entry : queue) {
      const bool expected =
          std::all_of(entry->locks.begin(), entry->locks.end(),
                      [&](const LockRequest& request) { return clear[request.name].contains(entry); });
      ASSERT_EQ(LockTable::is_clear(*entry), expected) << entry->key.name;
      const auto before = was_clear_.find(entry);
      if (before != was_clear_.end() && before->second != expected) {
        ASSERT_TRUE(changed.contains(const_cast<TaskEntry*>(entry))) << "a wake-up was lost";
      }
      was_clear_[entry] = expected;
    }
  }

  // When all that hold release, all that wait get their turn.
  void drain() {
    for (int round = 0; round < 10'000 && (!entries_.empty() || !all_free()); ++round) {
      reserve();
      confirm();
      release();
      check();
    }
    EXPECT_TRUE(entries_.empty());
    EXPECT_EQ(table_.size(), 0U);
  }

  bool all_free() const {
    return std::all_of(held_.begin(), held_.end(), [](const auto& lock) { return lock.second.empty(); });
  }

  std::unique_ptr<Random> random_;
  LockTable table_;
  std::list<TaskEntry> entries_;
  LockModel::Holders held_;
  LockModel::Holders reserved_;
  std::map<const TaskEntry*, bool> was_clear_;
  int count_ = 0;
};

TEST(LockTableProperty, AgreesWithAModelThatLooksAtEverything) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomLocks(seed).run(300);
    if (::testing::Test::HasFailure()) {
      return;
    }
  }
}

}  // namespace
}  // namespace convoke::task
