// How Tasks reach agents of one dispatch mode: HttpCarrier (http_carrier.h), JobCarrier (job_carrier.h). A
// carrier decides nothing about a Task; it brings, asks and stops, and says what came of it.
//
// Thread safety: all methods from every thread; they block until their answer is there, `left` at most.
// Errors: none come out; they are part of a Delivery.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "controller/base/clock.h"
#include "controller/kube/http_client.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"
#include "reconcilers/dispatch/http_answer.h"

namespace convoke::dispatch {

// What came of an attempt to bring a Task, or to ask for it.
struct Delivery {
  enum class Kind {
    Final,     // `outcome` is the end of the attempt
    Accepted,  // `dispatch` says how to go on
    Running,   // `outcome` says how far it is
    TryAgain,  // `trouble` says why
  };
  Kind kind = Kind::TryAgain;
  Outcome outcome;
  api::TaskDispatch dispatch;
  std::string trouble;
  bool not_carried_out = false;         // TryAgain: for sure
  bool is_our_verdict = false;          // Final: nobody said that the work ended, and it may go on
  std::optional<Duration> retry_after;  // TryAgain: as it was asked for
  std::optional<Duration> ask_after;    // Accepted, Running; none: there will be news
};

inline Delivery final_delivery(Outcome outcome) {
  Delivery delivery;
  delivery.kind = Delivery::Kind::Final;
  delivery.outcome = std::move(outcome);
  return delivery;
}

class Carrier {
 public:
  virtual ~Carrier() = default;
  // What is written before anything is sent.
  virtual api::TaskDispatch announce(const api::Task& task, const api::Agent& agent) = 0;
  virtual Delivery send(const api::Task& task, const api::Agent& agent, Duration left,
                        kube::HttpCancel& cancel) = 0;
  virtual Delivery ask(const api::Task& task, const api::Agent& agent, Duration left,
                       kube::HttpCancel& cancel) = 0;
  // True if there is nothing left to stop.
  virtual bool stop(const api::Task& task, const api::Agent& agent, kube::HttpCancel& cancel) = 0;
  // Whether sending again under the same announcement can never do the work twice.
  virtual bool sends_once() const = 0;
};

}  // namespace convoke::dispatch
