// The time at which the tests of agents take place.
#pragma once

#include "controller/base/time_format.h"

namespace convoke::agent {

inline const WallTime kNow = *parse_time("2026-01-01T12:00:00Z");

}  // namespace convoke::agent
