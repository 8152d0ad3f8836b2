// The ended attempts of each agent that its status does not hold yet: between the Tasks' status, where they
// are written, and the Agent's, where they are counted.
//
// It is fed with every change of a Task, on standbys too. Whether an attempt is counted already is said by
// the Agent's status (performance.h), except for one that this process saw to be written while it leads: that
// one is new whatever its clock says, until a write of the Agent's status ended without an answer.
//
// Thread safety: all methods from every thread; one mutex. Ownership: none. Errors: none.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "controller/base/mutex.h"
#include "controller/kube/object.h"
#include "reconcilers/agent/ended_attempt.h"
#include "reconcilers/api/agent.h"

namespace convoke::agent {

class AttemptLedger {
 public:
  // Seen to be written by the leader that this process is: `is_new`.
  void add(const kube::ObjectKey& agent, const EndedAttempt& attempt, bool is_new);
  // What is to be counted, in order. What the status holds already is dropped.
  std::vector<EndedAttempt> uncounted(const api::Agent& agent);
  // A write that counted them took effect.
  void counted(const kube::ObjectKey& agent, const std::vector<EndedAttempt>& attempts);
  // A write that counted them may have taken effect: the status will tell.
  void maybe_counted(const kube::ObjectKey& agent, const std::vector<EndedAttempt>& attempts);
  void forget(const kube::ObjectKey& agent);
  void forget(const kube::ObjectKey& agent, const EndedAttempt& attempt);
  // All agents that there are entries for.
  std::vector<kube::ObjectKey> agents() const;

 private:
  struct Entry {
    EndedAttempt attempt;
    bool is_new = false;
  };
  using Entries = std::map<std::string, Entry>;  // by the attempt's id

  mutable Mutex mutex_;
  std::map<kube::ObjectKey, Entries> agents_ GUARDED_BY(mutex_);
};

}  // namespace convoke::agent
