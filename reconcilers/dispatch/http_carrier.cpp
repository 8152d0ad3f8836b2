#include "reconcilers/dispatch/http_carrier.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/dispatch/http_request.h"
#include "reconcilers/dispatch/reasons.h"

namespace convoke::dispatch {
namespace {

constexpr Duration kStopTimeout = std::chrono::seconds(10);
constexpr Duration kShortestPoll = std::chrono::milliseconds(100);

// An end that the service did not declare.
Delivery our_verdict(Outcome outcome) {
  Delivery delivery = final_delivery(std::move(outcome));
  delivery.is_our_verdict = true;
  return delivery;
}

Delivery final_answer(Answer answer) {
  Delivery delivery = final_delivery(std::move(answer.outcome));
  delivery.is_our_verdict = answer.is_our_verdict;
  return delivery;
}

Delivery without_answer(const Error& error) {
  Delivery delivery;
  delivery.trouble = error.message;
  delivery.not_carried_out =
      error.reason == kube::kNotConnected || error.reason == reason::kSecretNotReadable;
  if (error.code == ErrorCode::Invalid && !delivery.not_carried_out) {
    return our_verdict(failure(code::kInvalidAnswer, error.message, false));
  }
  return delivery;
}

Delivery try_again(const Answer& answer) {
  Delivery delivery;
  delivery.trouble = answer.trouble;
  delivery.not_carried_out = answer.not_carried_out;
  delivery.retry_after = answer.retry_after;
  return delivery;
}

Duration poll_interval(const api::Agent& agent) {
  return std::max(agent.spec.dispatch.http.poll_interval, kShortestPoll);
}

// Where the service is told to stop.
std::string stop_address(const api::Task& task, const api::Agent& agent) {
  if (!task.status.dispatch.location.empty()) return task.status.dispatch.location;
  std::string url = agent.spec.dispatch.http.url;
  while (!url.empty() && url.back() == '/') url.pop_back();
  return url + "/" + task.status.dispatch.assignment_id;
}

bool same_origin(const std::string& a, const std::string& b) {
  const auto first = parse_address(a);
  const auto second = parse_address(b);
  return first && second && origin_of(first->server) == origin_of(second->server);
}

}  // namespace

api::TaskDispatch HttpCarrier::announce(const api::Task& task, const api::Agent& agent) {
  api::TaskDispatch dispatch;
  dispatch.assignment_id = task.status.assignment.id;
  dispatch.agent_name = agent.meta.name;
  return dispatch;
}

Delivery HttpCarrier::send(const api::Task& task, const api::Agent& agent, Duration left,
                           kube::HttpCancel& cancel) {
  const api::HttpDispatch& http = agent.spec.dispatch.http;
  const std::string& id = task.status.assignment.id;
  const auto response = service_.send(agent,
                                      {"POST", http.url, request_headers(task.meta.uid, id),
                                       task_body(task, left), std::min(http.timeout, left)},
                                      cancel);
  if (!response) return without_answer(response.error());
  Answer answer = read_answer(Question::Post, *response);
  if (answer.kind == Answer::Kind::TryAgain) return try_again(answer);
  if (answer.kind == Answer::Kind::Accepted) return accepted(task, agent, std::move(answer));
  return final_answer(std::move(answer));
}

Delivery HttpCarrier::accepted(const api::Task& task, const api::Agent& agent, Answer answer) {
  Delivery delivery;
  delivery.kind = Delivery::Kind::Accepted;
  delivery.dispatch = announce(task, agent);
  delivery.dispatch.accepted_at = format_micro_time(clock_.wall_now());
  delivery.outcome = std::move(answer.outcome);
  if (answer.location.empty()) return delivery;
  auto location = resolve_location(agent.spec.dispatch.http.url, answer.location);
  if (!location) {
    return our_verdict(failure(code::kInvalidLocation,
                               "the Location that the service gave is not asked: " + location.error().message,
                               false));
  }
  delivery.dispatch.location = std::move(*location);
  delivery.ask_after = poll_interval(agent);
  return delivery;
}

Delivery HttpCarrier::ask(const api::Task& task, const api::Agent& agent, Duration left,
                          kube::HttpCancel& cancel) {
  const api::HttpDispatch& http = agent.spec.dispatch.http;
  if (!same_origin(http.url, task.status.dispatch.location)) {
    return our_verdict(failure(code::kInvalidLocation, "the agent's url names another origin by now", true));
  }
  const auto response = service_.send(agent,
                                      {"GET",
                                       task.status.dispatch.location,
                                       request_headers(task.meta.uid, task.status.assignment.id),
                                       {},
                                       std::min(http.timeout, left)},
                                      cancel);
  if (!response) return without_answer(response.error());
  Answer answer = read_answer(Question::Poll, *response);
  if (answer.kind == Answer::Kind::TryAgain) return try_again(answer);
  const bool forgotten = response->status == 404 || response->status == 410;
  if (forgotten) answer.outcome.error_retryable = true;
  const bool is_running = answer.kind == Answer::Kind::Running;
  Delivery delivery = final_answer(std::move(answer));
  if (is_running) {
    delivery.kind = Delivery::Kind::Running;
    delivery.ask_after = poll_interval(agent);
  }
  return delivery;
}

bool HttpCarrier::stop(const api::Task& task, const api::Agent& agent, kube::HttpCancel& cancel) {
  const std::string address = stop_address(task, agent);
  if (!same_origin(agent.spec.dispatch.http.url, address)) return true;
  const auto response = service_.send(agent,
                                      {"DELETE",
                                       address,
                                       request_headers(task.meta.uid, task.status.dispatch.assignment_id),
                                       {},
                                       kStopTimeout},
                                      cancel);
  return response && read_answer(Question::Poll, *response).kind != Answer::Kind::TryAgain;
}

}  // namespace convoke::dispatch
