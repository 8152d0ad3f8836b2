#include "tests/fakes/api_faults.h"

#include <algorithm>
#include <utility>

namespace convoke::fakes {

bool RequestMatcher::matches(const std::string& request_client, const std::string& request_method,
                             const std::string& request_path) const {
  return (method.empty() || method == request_method) && (client.empty() || client == request_client) &&
         request_path.find(path) != std::string::npos;
}

Fault Fault::conflict() {
  return answer({409, "Conflict", "Operation cannot be fulfilled: the object has been modified"});
}

Fault Fault::gone() {
  return answer(expired("too old resource version"));
}

void FaultScript::add(RequestMatcher matcher, Fault fault, int times) {
  entries_.push_back({std::move(matcher), std::move(fault), times});
}

std::optional<Fault> FaultScript::take(const std::string& client, const std::string& method,
                                       const std::string& path) {
  const auto found = std::ranges::find_if(
      entries_, [&](const Entry& entry) { return entry.matcher.matches(client, method, path); });
  if (found == entries_.end()) {
    return std::nullopt;
  }
  Fault fault = found->fault;
  if (--found->times_left <= 0) {
    entries_.erase(found);
  }
  return fault;
}

}  // namespace convoke::fakes
