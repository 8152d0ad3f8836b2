// Plays charts/convoke/files/leader-fence.yaml for the fake API server: refuses what a former leader sent.
//
// Thread safety: review() is called by the server, one call at a time. Errors: Forbidden for a refused write.
#pragma once

#include <cstdint>
#include <string>

#include "tests/fakes/fake_api_server.h"

namespace convoke::simulation {

class LeaderFence {
 public:
  Status review(const fakes::WriteReview& review);

 private:
  std::int64_t transitions_ = 0;  // of the leader Lease
};

}  // namespace convoke::simulation
