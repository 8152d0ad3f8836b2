// Carrier for agents of the mode Job: one Job for each assignment, owned by the Task.
//
// A Job's name follows from the assignment, so that creating it again changes nothing. Jobs are watched; of
// their Pods, which are many, only those of a Job that is being looked at are listed.
//
// Thread safety and errors: as carrier.h says. Ownership: all that the constructor takes outlives it.
#pragma once

#include <memory>
#include <optional>

#include "controller/kube/client.h"
#include "controller/runtime/store.h"
#include "reconcilers/dispatch/carrier.h"
#include "reconcilers/dispatch/dispatch_metrics.h"
#include "reconcilers/dispatch/job.h"

namespace convoke::dispatch {

class JobCarrier final : public Carrier {
 public:
  JobCarrier(kube::Client& client, runtime::Store<Job>& jobs, Clock& clock, DispatchMetrics& metrics)
      : client_(client), jobs_(jobs), clock_(clock), metrics_(metrics) {}

  api::TaskDispatch announce(const api::Task& task, const api::Agent& agent) override;
  Delivery send(const api::Task& task, const api::Agent& agent, Duration left,
                kube::HttpCancel& cancel) override;
  Delivery ask(const api::Task& task, const api::Agent& agent, Duration left,
               kube::HttpCancel& cancel) override;
  bool stop(const api::Task& task, const api::Agent& agent, kube::HttpCancel& cancel) override;
  bool sends_once() const override { return true; }

 private:
  // None: the Job of that name is the Task's.
  std::optional<Delivery> check_owner(const api::Task& task);
  Result<std::shared_ptr<const Job>> find(const api::Task& task);
  Delivery accepted(const api::Task& task, const api::Agent& agent);
  Result<Json> last_pod(const Job& job);

  kube::Client& client_;
  runtime::Store<Job>& jobs_;
  Clock& clock_;
  DispatchMetrics& metrics_;
};

}  // namespace convoke::dispatch
