// What a controller calls for each key: bring one object closer to its desired state.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "controller/base/result.h"
#include "controller/kube/object.h"

namespace convoke::runtime {

// How a reconcile ended; nothing else is possible.
struct Done {};  // nothing to do until the object or something it watches changes
struct RequeueAfter {
  Duration delay;
  bool keeps_backoff = false;  // of a key that was not looked at: errors before this still count
};                             // look again then, unless a change comes first
struct Retry {
  Error error;
  std::optional<Duration> at_most = {};  // then, though the backoff be longer
};                                       // a passing error: again with per-key exponential backoff
struct Terminal {
  Error error;
};  // cannot succeed without a change of the object: not retried

using ReconcileResult = std::variant<Done, RequeueAfter, Retry, Terminal>;

// The number of the reconcile that the calling thread carries out, for its log lines; 0 outside of one.
unsigned long current_reconcile_id();

class Reconciler {
 public:
  virtual ~Reconciler() = default;
  // Never called twice at once for the same key; called for different keys from many threads.
  virtual ReconcileResult reconcile(const kube::ObjectKey& key) = 0;
};

}  // namespace convoke::runtime
