// The CRDs that this program was built with, and what the API server would say of an object by them: types,
// bounds, patterns, required and unknown fields, duplicates in keyed lists, and the rules in CEL.
//
// Thread safety: immutable once made. Errors: findings; the CRDs themselves are correct, which a test proves.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "controller/kube/json.h"

namespace convoke::plugin {

// The text of each crds/*.yaml; made by CMake.
const std::vector<std::string>& embedded_crds();

struct SchemaFinding {
  std::string pointer;  // JSON pointer of the field
  std::string message;
  bool about_key = false;  // the field itself should not be there
};

class Schemas {
 public:
  // Of embedded_crds().
  static const Schemas& built_in();
  explicit Schemas(const std::vector<std::string>& crds);

  std::vector<std::string> kinds() const;
  bool knows(const std::string& kind) const;
  // Of an object of a known kind; without metadata, which is alike for all kinds.
  std::vector<SchemaFinding> check(const std::string& kind, const Json& object) const;

 private:
  std::map<std::string, Json> schemas_;  // by kind
};

}  // namespace convoke::plugin
