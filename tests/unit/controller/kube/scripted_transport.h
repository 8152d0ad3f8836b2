// A Transport that gives prepared answers in order and keeps what it was asked.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "controller/kube/transport.h"

namespace convoke::kube {

class TextStream final : public BodyStream {
 public:
  explicit TextStream(std::string text) : text_(std::move(text)) {}
  Result<std::string> read() override {
    if (cancelled_) return {ErrorCode::Cancelled, "cancelled"};
    return std::exchange(text_, {});
  }
  void cancel() override { cancelled_ = true; }

 private:
  std::string text_;
  bool cancelled_ = false;
};

class ScriptedTransport final : public Transport {
 public:
  void answer(int status, const std::string& body, std::map<std::string, std::string> headers = {}) {
    answers_.emplace_back(HttpResponse{status, std::move(headers), body});
  }
  void fail(ErrorCode code) { answers_.emplace_back(code, "broken"); }
  const std::vector<HttpRequest>& requests() const { return requests_; }
  const HttpRequest& last() const { return requests_.back(); }

  Result<HttpResponse> send(const HttpRequest& request) override {
    requests_.push_back(request);
    if (answers_.empty()) return {ErrorCode::Internal, "the script is over"};
    auto next = std::move(answers_.front());
    answers_.pop_front();
    return next;
  }
  Result<StreamResponse> open_stream(const HttpRequest& request) override {
    auto response = send(request);
    if (!response) return response.error();
    return StreamResponse{response->status, response->headers, std::make_unique<TextStream>(response->body)};
  }
  void shutdown() override {}

 private:
  std::deque<Result<HttpResponse>> answers_;
  std::vector<HttpRequest> requests_;
};

}  // namespace convoke::kube
