// How many requests are out for each agent, so that one that hangs does not take all workers. Who finds no
// slot stands in line without a thread, and is called when its turn comes: as many are as there are free
// slots, first come, first served. A slot is kept for whom it was called for; who is looked at then (between
// come() and go()) and does not enter hands the turn on.
//
// Each key has one place at most. Who enters elsewhere gives its place up, so that no slot of one agent is
// kept for whoever is in a long request at another.
//
// Whoever is called has to be queued by the caller at once: until it is looked at, its slot stays empty.
//
// Thread safety: all methods from every thread; come(), enter(), go() and give_up() of one key never at once.
// Errors: none. Costs: logarithmic in the number of keys that wait.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "controller/base/mutex.h"
#include "controller/kube/object.h"

namespace convoke::dispatch {

class AgentSlots {
 public:
  using Key = kube::ObjectKey;
  using Called = std::vector<Key>;  // who should try again

  // False if the agent has `limit` requests out, or slots that are kept; then `who` is in its line, where it
  // keeps its turn however often it comes. `called` gets who can enter now instead of `who`.
  bool enter(const Key& agent, int limit, const Key& who, Called& called);
  Called leave(const Key& agent);

  // `who` is looked at now, for whatever it was called.
  void come(const Key& who);
  Called go(const Key& who);

  // `who` wants nothing of any agent.
  Called give_up(const Key& who);

 private:
  using Ticket = std::uint64_t;  // rises
  // Of one that has not entered: in line, or called.
  struct Place {
    Key agent;
    Ticket ticket = 0;
    bool called = false;  // a slot is kept for it
    bool has_come = false;
  };
  struct Slots {
    int limit = 0;
    int taken = 0;
    int kept = 0;
    std::map<Ticket, Key> line;

    bool has_room() const { return taken + kept < limit; }
    bool is_unused() const { return taken <= 0 && kept <= 0 && line.empty(); }
  };
  using Places = std::map<Key, Place>;

  Place& stand_in_line(const Key& agent, const Key& who, Called& called) REQUIRES(mutex_);
  void leave_place(Places::iterator place, Called& called) REQUIRES(mutex_);
  // Calls as many as there is room for.
  void call(Slots& slots, Called& called) REQUIRES(mutex_);
  void forget_if_unused(const Key& agent) REQUIRES(mutex_);

  Mutex mutex_;
  std::map<Key, Slots> slots_ GUARDED_BY(mutex_);
  Places places_ GUARDED_BY(mutex_);
  Ticket next_ticket_ GUARDED_BY(mutex_) = 0;
};

}  // namespace convoke::dispatch
