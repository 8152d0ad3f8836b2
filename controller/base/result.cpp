#include "controller/base/result.h"

namespace convoke {

const char* to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::NotFound:
      return "NotFound";
    case ErrorCode::AlreadyExists:
      return "AlreadyExists";
    case ErrorCode::Conflict:
      return "Conflict";
    case ErrorCode::Expired:
      return "Expired";
    case ErrorCode::Throttled:
      return "Throttled";
    case ErrorCode::Unavailable:
      return "Unavailable";
    case ErrorCode::Unauthorized:
      return "Unauthorized";
    case ErrorCode::Forbidden:
      return "Forbidden";
    case ErrorCode::Invalid:
      return "Invalid";
    case ErrorCode::Cancelled:
      return "Cancelled";
    case ErrorCode::Timeout:
      return "Timeout";
    case ErrorCode::Internal:
      return "Internal";
  }
  return "Internal";
}

std::string Error::describe() const {
  const std::string name = to_string(code);
  return message.empty() ? name : name + ": " + message;
}

bool Error::is_transient() const {
  return code == ErrorCode::Throttled || code == ErrorCode::Unavailable || code == ErrorCode::Timeout;
}

Error Error::with_context(const std::string& context) const {
  Error error = *this;
  error.message = message.empty() ? context : context + ": " + message;
  return error;
}

}  // namespace convoke
