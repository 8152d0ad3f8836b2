// Label and field selectors as the API server reads and matches them. Pure.
#pragma once

#include <string>
#include <vector>

#include "controller/kube/json.h"
#include "tests/fakes/api_failure.h"

namespace convoke::fakes {

struct Requirement {
  enum class Operator { Exists, DoesNotExist, In, NotIn };
  std::string key;
  Operator op = Operator::Exists;
  std::vector<std::string> values = {};
};

struct Selector {
  std::string namespace_;  // empty: all
  std::vector<Requirement> labels;
  std::vector<Requirement> fields;

  bool matches(const Json& object) const;
};

// "a=b,c!=d,e in (f,g),h notin (i),j,!k". Failure 400.
Answer<std::vector<Requirement>> parse_label_selector(const std::string& text);
// "metadata.name=a,status.phase!=b". Failure 400, also for a field that is not in `allowed`.
Answer<std::vector<Requirement>> parse_field_selector(const std::string& text,
                                                      const std::vector<std::string>& allowed);

}  // namespace convoke::fakes
