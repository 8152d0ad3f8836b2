// Errors as values. A function that can fail returns Result<T>; the caller must look at it.
//
// Exceptions of libraries are caught in one adapter file for each library and become an Error there.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "controller/base/clock.h"

namespace convoke {

enum class ErrorCode {
  NotFound,
  AlreadyExists,
  Conflict,      // the resourceVersion or a JSON Patch test no longer holds: read again, decide again
  Expired,       // 410: the resourceVersion or continue token is too old: list again
  Throttled,     // 429: come back after retry_after
  Unavailable,   // no answer, a broken connection, 5xx: the request may or may not have been carried out
  Unauthorized,  // 401
  Forbidden,     // 403: RBAC or an admission policy
  Invalid,       // 400, 422, or input of our own that cannot be read
  Cancelled,     // we stopped it
  Timeout,       // our own deadline passed; as for Unavailable, it may have been carried out
  Internal,      // a defect
};

const char* to_string(ErrorCode code);

// One field that the API server (or a parser of ours) found wrong.
struct ErrorCause {
  std::string field;
  std::string message;
  std::string reason;
};

struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::Internal;
  std::string message;      // for people: what was wrong, with which object, what to do
  std::string reason = {};  // the API's own reason, e.g. "AlreadyExists"; empty if it gave none
  int http_status = 0;      // 0 if there was no answer
  std::vector<ErrorCause> causes = {};
  std::optional<Duration> retry_after = {};

  // "Conflict: tasks.convoke.dev \"a\": the object has been modified"
  std::string describe() const;
  // True where the same request may succeed later without any change by a person.
  bool is_transient() const;
  // The same error with `context` before its message ("creating Task ns/a").
  Error with_context(const std::string& context) const;
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
  Result(Error error) : tl::expected<T, Error>(tl::unexpect, std::move(error)) {}
  Result(ErrorCode code, std::string message)
      : tl::expected<T, Error>(tl::unexpect, Error{code, std::move(message)}) {}
};

using Status = Result<void>;

}  // namespace convoke
