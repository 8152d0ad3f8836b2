// The language's own conformance cases, one JSON object a line: reads them, runs them, and says which pass.
//
// The format is described where the cases lie (README.md beside them). They are no part of this repository.
#pragma once

#include <string>
#include <vector>

#include "controller/base/result.h"
#include "controller/kube/json.h"

namespace convoke::conformance {

struct Outcome {
  std::string file;
  std::string section;
  std::string name;
  std::string expression;
  std::string problem;  // empty: it passed
  // It passed with what the expected text was meant to be: the tool that converted the cases wrote some code
  // points above U+00FF as \u0100 or \U00010000, and "?" as "\?", although the expressions mean the
  // characters themselves.
  bool is_repaired = false;
};

// Error: the file cannot be read, or a line is no case.
Result<std::vector<Outcome>> run_file(const std::string& path);

// Where the cases are: $CONVOKE_CEL_CONFORMANCE, or ../shared/cel-conformance beside the checkout. Empty if
// there are none.
std::string find_cases(const std::string& checkout);

}  // namespace convoke::conformance
