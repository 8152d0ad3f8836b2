// Carries reports to the API server and says how they were taken.
//
// Thread safety: all methods from every thread; they block for the answer. Ownership: client and store
// outlive it.
#pragma once

#include "controller/base/result.h"
#include "controller/kube/client.h"
#include "controller/runtime/store.h"
#include "reconcilers/api/task.h"

namespace convoke::runner {

enum class Reception {
  Accepted,
  Refused,    // the assignment is another one's by now, or the Task is gone: nothing more to say
  Malformed,  // the API server will never take this report
  Later,      // it may take it when it is sent again
};

class Reporter {
 public:
  Reporter(kube::Client& client, runtime::Store<api::Task>& tasks) : client_(client), tasks_(tasks) {}

  struct Answer {
    Reception reception = Reception::Accepted;
    Error error = {};  // unless Accepted
  };
  // `patch` is one of report.h. The answer overlays the store.
  Answer send(const kube::ObjectKey& key, const Json& patch);

 private:
  kube::Client& client_;
  runtime::Store<api::Task>& tasks_;
};

}  // namespace convoke::runner
