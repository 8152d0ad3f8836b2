// What a new leader must know before it gives out the first Task: who has which Task now.
//
// A standby's cache is as old as its watch is late, and a watch may hang without an error. A leader that
// counts from such a cache gives an agent more Tasks than it has places for, because it does not know the
// last ones that its predecessor assigned. So the live Tasks are listed once more, from etcd itself, when the
// predecessor cannot write any more. What else a late cache gets wrong is caught when it is written: every
// write carries the resourceVersion that it was decided on.
//
// Thread safety: one call at a time. Ownership: nothing is kept.
#pragma once

#include <string>
#include <vector>

#include "controller/base/result.h"
#include "controller/kube/client.h"
#include "controller/runtime/store.h"
#include "reconcilers/api/task.h"

namespace convoke::task {

// Puts all Tasks that are Assigned or Running into the store, as they are now. Of these namespaces; an empty
// name stands for all. Errors: those of the API server; what was read before one stays in the store.
Status refresh_live_tasks(kube::Client& client, runtime::Store<api::Task>& tasks,
                          const std::vector<std::string>& namespaces);

}  // namespace convoke::task
