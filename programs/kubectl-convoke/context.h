// What every command has at hand. Plain references; whoever makes one keeps what they refer to.
#pragma once

#include <iosfwd>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/random.h"
#include "programs/kubectl-convoke/cluster.h"
#include "programs/kubectl-convoke/style.h"

namespace convoke::plugin {

struct Context {
  const Cluster& cluster;
  Clock& clock;
  Random& random;
  StopSignal& stop;  // the person pressed Ctrl-C
  std::ostream& out;
  std::ostream& err;
  Style style;
  bool json = false;
  bool live = false;  // `out` is a terminal whose lines may be drawn again
};

// Exit statuses of the program.
inline constexpr int kDone = 0;
inline constexpr int kSaysNo = 1;  // findings, a run that did not succeed
inline constexpr int kCannot = 2;  // wrong usage, no cluster, no right
inline constexpr int kInterrupted = 130;

}  // namespace convoke::plugin
