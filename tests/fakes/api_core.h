// What the fake API server, its connections and its streams share: one world under one mutex.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "controller/base/clock.h"
#include "tests/fakes/api_faults.h"
#include "tests/fakes/api_hold.h"
#include "tests/fakes/api_storage.h"
#include "tests/fakes/api_verbs.h"
#include "tests/fakes/api_write_record.h"

namespace convoke::fakes {

class WatchStream;

struct PendingHold {
  RequestMatcher matcher;
  HoldPoint point;
  bool is_reached = false;
  bool is_released = false;
};

struct ApiWorld {
  explicit ApiWorld(Clock& clock) : storage(clock) {}

  ApiStorage storage;
  VerbOptions verbs;
  FaultScript faults;
  std::vector<std::shared_ptr<PendingHold>> holds;
  std::vector<WatchStream*> streams;  // the oldest first: the order of addresses would differ from run to run
  std::set<std::string> partitioned;
  std::map<std::string, MonotonicTime> frozen;  // since when
  bool collects_garbage = true;
  bool gone_as_status = false;
  bool interleaves = false;
  std::size_t chunk_bytes = 0;
  Duration latency{0};
  std::vector<WriteRecord> writes;
  std::map<std::string, std::size_t> request_counts;
};

struct ApiCore {
  explicit ApiCore(Clock& the_clock)
      : clock(the_clock), changed(the_clock.make_condition()), world(the_clock) {}

  Clock& clock;
  Mutex mutex;
  std::unique_ptr<Condition> changed;  // a hold, a freeze, a partition or a shutdown began or ended
  ApiWorld world GUARDED_BY(mutex);
};

}  // namespace convoke::fakes
