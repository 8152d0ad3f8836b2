// The sign of life of an agent: a Lease `convoke-agent-<name>` that is renewed by compare-and-swap, owned by
// its Agent.
//
// The Lease also keeps two processes from being the same agent: a newcomer waits until it has *seen* the
// holder's record unchanged for the record's duration on its own monotonic clock; a holder that finds another
// one in the record is deposed for good. A holder that merely cannot reach the API server stays what it is,
// and is_lost() says that others may think otherwise.
//
// Thread safety: is_lost and stop_waiting from every thread; acquire, start, stop and release by one, in this
// order. `on_deposed` runs on the heartbeat's own thread. Errors: logged and tried again.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/logging.h"
#include "controller/base/mutex.h"
#include "controller/kube/client.h"
#include "controller/kube/lease.h"

namespace convoke::runner {

struct HeartbeatOptions {
  kube::ObjectKey agent;
  std::string identity;  // unique for each process
  Duration interval = std::chrono::seconds(10);
  Duration timeout = std::chrono::seconds(30);
};

class Heartbeat {
 public:
  // The deadline of `client` should be well below the timeout.
  Heartbeat(kube::Client& client, Clock& clock, const Logger& log, HeartbeatOptions options,
            std::function<void(const std::string& holder)> on_deposed);
  ~Heartbeat();

  // Blocks until the Lease is ours; false if stop_waiting() came before.
  bool acquire();
  void stop_waiting();
  // Renews it until stop(), which joins.
  void start();
  void stop();
  // After stop(): deletes the Lease if it is still ours, so that others need not wait for it to run out.
  void release();

  bool is_lost() const;

 private:
  enum class Attempt { Held, HeldByOther, Failed };

  void renew_for_ever();
  Attempt try_to_hold();
  Attempt take_over_or_wait(kube::Lease current);
  Attempt write(const kube::Lease& lease, bool exists);
  Status own(kube::Lease& lease);
  Attempt failed(const Error& error);
  Duration until_expiry() const;

  kube::Client& client_;
  Clock& clock_;
  const Logger log_;
  const HeartbeatOptions options_;
  const kube::ObjectKey key_;
  const std::function<void(const std::string&)> on_deposed_;
  StopSignal acquiring_;
  StopSignal renewing_;

  // Of acquire(), then of the thread, then of release().
  kube::Lease held_;   // no resourceVersion: not ours
  kube::Lease other_;  // another one's record, as first seen
  MonotonicTime other_since_;
  std::string last_failure_;

  mutable Mutex mutex_;
  MonotonicTime renewed_at_ GUARDED_BY(mutex_);  // when the last renewal that succeeded was *asked for*

  std::unique_ptr<Thread> thread_;
};

}  // namespace convoke::runner
