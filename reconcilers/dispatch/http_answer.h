// What the answer of a service means. Pure functions: nothing in an answer is trusted.
//
//   200, 201, 203, 204   the result: {"outputs": {..}, "message": ".."}, {"error": {code, message,
//   retryable}},
//                        or with "state": Succeeded, Failed, Rejected; of a poll also Running (and progress)
//   202                  it is being worked on
//   408, 425, 429, 5xx   to be tried again, not before Retry-After
//   401                  to be tried again once, if the credentials have changed
//   3xx, 401, 403        of a poll: to be tried again, for they say nothing about the work
//   all other            the end: the attempt failed, and another one would too
//
// Thread safety: pure. Errors: none; an answer that makes no sense is a failure with the code InvalidAnswer.
#pragma once

#include <optional>
#include <string>

#include "controller/base/clock.h"
#include "controller/base/result.h"
#include "controller/kube/server_url.h"
#include "controller/kube/transport.h"
#include "reconcilers/api/task.h"

namespace convoke::dispatch {

enum class Question { Post, Poll };

// What a service says about the Task, as it is reported on its behalf.
struct Outcome {
  api::ReportState state = api::ReportState::Running;
  int progress = 0;
  std::string message;
  api::RawJson outputs;
  std::string error_code;
  std::string error_message;
  bool error_retryable = true;
  bool operator==(const Outcome&) const = default;
};

// An end of the attempt.
Outcome failure(const std::string& code, const std::string& message, bool retryable);

struct Answer {
  enum class Kind { Final, Accepted, Running, TryAgain };
  Kind kind = Kind::Final;
  Outcome outcome;                      // Final, Accepted, Running
  std::string location;                 // Accepted: as it was given; may be empty
  std::optional<Duration> retry_after;  // TryAgain
  std::string trouble;                  // TryAgain: for people
  bool not_carried_out = false;         // TryAgain: the service says that it did nothing
  bool is_our_verdict = false;          // Final: the service did not say that the work ended
};

Answer read_answer(Question question, const kube::HttpResponse& response);

// The absolute address that `location` stands for in an answer of `url`. Error Invalid if it is another
// origin's, or no address at all.
Result<std::string> resolve_location(const std::string& url, const std::string& location);

// An address taken apart into the server and the path with its query.
struct Address {
  kube::ServerUrl server;
  std::string path;  // "/tasks?x=1", at least "/"
};
Result<Address> parse_address(const std::string& text);
// "https://host:443"; an origin is written with its port.
std::string origin_of(const kube::ServerUrl& server);

}  // namespace convoke::dispatch
