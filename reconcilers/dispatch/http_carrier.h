// Carrier for agents that are services: POST, poll, DELETE. What answers mean is in http_answer.h.
//
// Thread safety and errors: as carrier.h says. Ownership: all that the constructor takes outlives it.
#pragma once

#include "reconcilers/dispatch/carrier.h"
#include "reconcilers/dispatch/service_client.h"

namespace convoke::dispatch {

class HttpCarrier final : public Carrier {
 public:
  HttpCarrier(ServiceClient& service, Clock& clock) : service_(service), clock_(clock) {}

  api::TaskDispatch announce(const api::Task& task, const api::Agent& agent) override;
  Delivery send(const api::Task& task, const api::Agent& agent, Duration left,
                kube::HttpCancel& cancel) override;
  Delivery ask(const api::Task& task, const api::Agent& agent, Duration left,
               kube::HttpCancel& cancel) override;
  bool stop(const api::Task& task, const api::Agent& agent, kube::HttpCancel& cancel) override;
  bool sends_once() const override { return false; }

 private:
  Delivery accepted(const api::Task& task, const api::Agent& agent, Answer answer);

  ServiceClient& service_;
  Clock& clock_;
};

}  // namespace convoke::dispatch
