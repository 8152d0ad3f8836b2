#include "controller/base/side_by_side.h"

#include <atomic>
#include <chrono>
#include <vector>

#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"

namespace convoke {
namespace {

using namespace std::chrono_literals;

class SideBySide : public ::testing::Test {
 protected:
  // What a call to another machine is: time passes, and others go on.
  void wait_a_second() {
    StopSignal never(clock_);
    ++now_;
    most_ = std::max(most_, now_);
    never.sleep_for(1s);
    --now_;
  }

  fakes::FakeClock clock_;
  int now_ = 0;
  int most_ = 0;
  std::vector<int> done_;
};

TEST_F(SideBySide, DoesEachOnceAndNotMoreAtOnceThanAllowed) {
  done_.resize(10);
  const auto begin = clock_.monotonic_now();
  side_by_side(clock_, "test", done_.size(), 3, [&](std::size_t i) {
    wait_a_second();
    ++done_[i];
    return true;
  });
  EXPECT_EQ(done_, std::vector<int>(10, 1));
  EXPECT_EQ(most_, 3);
  EXPECT_EQ(clock_.monotonic_now() - begin, 4s);  // one alone, then nine by threes
}

TEST_F(SideBySide, AFailureOfTheFirstEndsIt) {
  side_by_side(clock_, "test", 10, 3, [&](std::size_t i) {
    done_.push_back(static_cast<int>(i));
    return false;
  });
  EXPECT_EQ(done_, std::vector<int>{0});
}

TEST_F(SideBySide, AfterAFailureNoMoreAreBegunAndThoseThatBeganEnd) {
  side_by_side(clock_, "test", 100, 4, [&](std::size_t i) {
    wait_a_second();
    done_.push_back(static_cast<int>(i));
    return i != 2;
  });
  EXPECT_EQ(done_.size(), 6) << "one alone, four at once, and the one after the first of these";
}

TEST_F(SideBySide, NothingToDoIsDoneAtOnce) {
  side_by_side(clock_, "test", 0, 4, [&](std::size_t) { return ADD_FAILURE(), true; });
}

TEST_F(SideBySide, OneIsDoneByTheCallerAlone) {
  side_by_side(clock_, "test", 1, 4, [&](std::size_t) {
    EXPECT_EQ(clock_.describe_threads().size(), 0U);
    return done_.push_back(0), true;
  });
  EXPECT_EQ(done_.size(), 1);
}

}  // namespace
}  // namespace convoke
