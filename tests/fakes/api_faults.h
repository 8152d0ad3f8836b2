// The script of faults: which requests fail next, and how. Plain values.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "tests/fakes/api_failure.h"

namespace convoke::fakes {

// Which requests are meant; what is empty matches all.
struct RequestMatcher {
  std::string method = {};  // GET, POST, PUT, PATCH, DELETE, or WATCH (a watch is not a GET here)
  std::string path = {};    // a part of the path and query, as sent
  std::string client = {};

  bool matches(const std::string& request_client, const std::string& request_method,
               const std::string& request_path) const;
};

struct Fault {
  enum class Kind {
    DropRequest,  // Unavailable, and nothing was carried out
    DropAnswer,   // Unavailable, but it was carried out
    Answer,       // `failure` instead of carrying it out
    CutStream,    // a watch breaks after `bytes`, in the middle of a line if it happens so
  };

  Kind kind = Kind::DropRequest;
  ApiFailure failure = {};
  std::size_t bytes = 0;

  static Fault drop_request() { return {Kind::DropRequest}; }
  static Fault drop_answer() { return {Kind::DropAnswer}; }
  static Fault cut_stream(std::size_t bytes) { return {Kind::CutStream, {}, bytes}; }
  static Fault answer(ApiFailure failure) { return {Kind::Answer, std::move(failure)}; }
  static Fault conflict();
  static Fault gone();  // 410 as an HTTP status
  static Fault throttle(Duration retry_after) { return answer(throttled(retry_after)); }
  static Fault error(int code) { return answer(server_error(code)); }  // 500, 503
};

class FaultScript {
 public:
  void add(RequestMatcher matcher, Fault fault, int times);
  // The fault that is meant for this request, used up by asking.
  std::optional<Fault> take(const std::string& client, const std::string& method, const std::string& path);
  std::size_t size() const { return entries_.size(); }
  void clear() { entries_.clear(); }

 private:
  struct Entry {
    RequestMatcher matcher;
    Fault fault;
    int times_left;
  };
  std::deque<Entry> entries_;
};

}  // namespace convoke::fakes
