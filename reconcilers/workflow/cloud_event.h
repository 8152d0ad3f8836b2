// CloudEvents 1.0 as they come over HTTP: structured, in batches, and in binary mode.
//
// Pure; safe from every thread. Errors: Invalid, saying what is wrong, whose http_status is what to answer
// with: 400, 413 for an event above kMaxEventBytes, 415 for what is no CloudEvent.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "controller/base/result.h"
#include "controller/kube/json.h"

namespace convoke::workflow {

// As JSON: it is kept in an object of the API.
inline constexpr std::size_t kMaxEventBytes = std::size_t{64} * 1024;

struct CloudEvent {
  std::string id;
  std::string source;
  std::string type;
  Json json;  // all of it, in the JSON format
};

// `headers` by their names in lower case.
Result<std::vector<CloudEvent>> read_cloud_events(const std::map<std::string, std::string>& headers,
                                                  const std::string& body);

// Stands for this event at this trigger, wherever and however often it comes.
std::string event_key(const std::string& workflow_uid, const std::string& trigger, const CloudEvent& event);

}  // namespace convoke::workflow
