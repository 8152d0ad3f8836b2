#include "tests/simulation/services.h"

#include <algorithm>
#include <utility>

namespace convoke::simulation {

using namespace std::chrono_literals;

namespace {

constexpr char kPath[] = "/work";

kube::HttpResponse answer(int status, const Json& body = nullptr,
                          std::map<std::string, std::string> headers = {}) {
  return {status, std::move(headers), body.is_null() ? "" : body.dump()};
}

Error no_answer(const char* what, const char* reason = "") {
  return {ErrorCode::Unavailable, what, reason};
}

}  // namespace

class Services::Link final : public Connection {
 public:
  Link(Services& services, Clock& clock) : services_(services), clock_(clock) {}

  void cut() override { cut_ = true; }

  Result<kube::HttpResponse> send(const kube::HttpTarget& target, const kube::HttpRequest& request,
                                  kube::HttpCancel& cancel) override {
    const auto stop = std::make_shared<StopSignal>(clock_);
    cancel.on_cancel([stop] { stop->stop(); });
    auto result = exchange(target.server.host, request, *stop);
    cancel.on_cancel({});
    if (cancel.cancelled()) return {ErrorCode::Cancelled, "the request was cancelled"};
    return result;
  }

 private:
  Result<kube::HttpResponse> exchange(const std::string& service, const kube::HttpRequest& request,
                                      StopSignal& stop) {
    const Fate fate = services_.fate_of(service);
    if (!stop.sleep_for(services_.travel_time())) return no_answer("cancelled");
    if (cut_ || fate == Fate::Unreachable) return no_answer("connection refused", kube::kNotConnected);
    if (fate == Fate::RequestLost) return no_answer("connection reset");
    if (fate == Fate::Overloaded) return answer(503, nullptr, {{"retry-after", "2"}});
    auto response = services_.serve(service, request);
    if (!stop.sleep_for(fate == Fate::TooSlow ? request.deadline : services_.travel_time())) {
      return no_answer("cancelled");
    }
    if (fate == Fate::TooSlow) return {ErrorCode::Timeout, "no answer in time"};
    if (fate == Fate::AnswerLost) return no_answer("connection reset");
    if (fate == Fate::Broken) return answer(500);
    return response;
  }

  Services& services_;
  Clock& clock_;
  std::atomic<bool> cut_ = false;
};

Services::Services(Clock& clock, std::uint64_t seed, Duration latency, ServiceListener& listener)
    : clock_(clock), latency_(latency), listener_(listener), dice_(seed) {}

std::unique_ptr<Services::Connection> Services::connect(Clock& clock) {
  return std::make_unique<Link>(*this, clock);
}

std::string Services::url(const std::string& service) {
  return "http://" + service + ":8080" + kPath;
}

void Services::crash(const std::string& service) {
  const MutexLock lock(mutex_);
  work_.erase(service);
}

void Services::set_down(const std::string& service, bool down) {
  const MutexLock lock(mutex_);
  if (down) {
    down_.insert(service);
  } else {
    down_.erase(service);
  }
}

void Services::set_faulty(bool faulty) {
  const MutexLock lock(mutex_);
  faulty_ = faulty;
  down_.clear();
}

Duration Services::travel_time() {
  const MutexLock lock(mutex_);
  return dice_.between(latency_ / 2, latency_ * 2);
}

Services::Fate Services::fate_of(const std::string& service) {
  static const std::vector<Fate> kMisfortunes = {Fate::Unreachable, Fate::RequestLost, Fate::AnswerLost,
                                                 Fate::AnswerLost,  Fate::TooSlow,     Fate::Overloaded,
                                                 Fate::Broken};
  const MutexLock lock(mutex_);
  if (down_.contains(service)) return Fate::Unreachable;
  return faulty_ && dice_.chance(20) ? dice_.of(kMisfortunes) : Fate::Fine;
}

kube::HttpResponse Services::serve(const std::string& service, const kube::HttpRequest& request) {
  if (request.method == "GET" && request.path == "/health") return answer(204);
  const auto header = request.headers.find("Idempotency-Key");
  const std::string key = header == request.headers.end() ? "" : header->second;
  Deed deed;
  {
    const MutexLock lock(mutex_);
    auto& known = work_[service];
    const auto found = known.find(key);
    if (request.method == "POST") {
      deed = found == known.end() ? take(service, key) : look(service, key);
      deed.took = deed.took || found != known.end();
    } else if (found == known.end()) {
      deed.response = answer(404);
    } else if (request.method == "DELETE") {
      found->second.is_stopped = true;
      deed.response = answer(204);
    } else {
      deed = look(service, key);
    }
  }
  if (deed.took) {
    listener_.service_took(parse_json(request.body)->at("task").at("uid").get<std::string>(), key);
  }
  if (deed.succeeded) listener_.service_succeeded(key);
  return deed.response;
}

Services::Deed Services::take(const std::string& service, const std::string& key) {
  if (dice_.chance(4)) return {.response = answer(200, {{"state", "Rejected"}, {"message", "by the dice"}})};
  Duration takes = dice_.between(1ms, dice_.chance(10) ? Duration(60s) : Duration(3s));
  if (dice_.chance(20)) takes = Duration(0);  // at once, in the answer to the POST
  work_[service][key] = {clock_.monotonic_now() + takes, roll_result(service, key)};
  Deed deed = look(service, key);
  deed.took = true;
  return deed;
}

Json Services::roll_result(const std::string& service, const std::string& key) {
  if (dice_.chance(15)) {
    return {{"error", {{"code", "Dice"}, {"message", "by the dice"}, {"retryable", !dice_.chance(10)}}}};
  }
  return {{"outputs", {{"by", service}, {"assignment", key}}}};
}

Services::Deed Services::look(const std::string& service, const std::string& key) {
  const Work& work = work_[service][key];
  if (work.is_stopped) return {.response = answer(410)};
  if (clock_.monotonic_now() < work.due) {
    return {.response = answer(202, nullptr, {{"location", std::string(kPath) + "/" + key}})};
  }
  return {.response = answer(200, work.result), .succeeded = work.result.contains("outputs")};
}

}  // namespace convoke::simulation
