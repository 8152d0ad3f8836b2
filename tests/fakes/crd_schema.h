// The schemas of crds/, for tests: whether the API server would store an object.
//
// A status that it refuses is written again and again, and its object is stuck; so what the operator writes
// is held against the schema that people install. Known simplification: x-kubernetes-validations are not
// evaluated (the statuses have none).
//
// Thread safety: a CrdSchema never changes once it is made. Errors: what does not fit is the result; a CRD
// that cannot be read throws std::runtime_error: the test is wrong.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controller/kube/json.h"

namespace convoke::fakes {

class CrdSchema {
 public:
  // `plural` as in crds/convoke.dev_<plural>.yaml.
  explicit CrdSchema(const std::string& plural);

  // Empty if all of the object fits; else the fields and what is wrong with them. A field that the schema
  // does not know counts as wrong too: the API server would drop it.
  std::vector<std::string> problems(const Json& object) const;

 private:
  std::shared_ptr<const Json> schema_;
};

}  // namespace convoke::fakes
