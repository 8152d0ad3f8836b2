// A finding for people and for programs: "FILE:LINE:COLUMN: error: KIND NAME: FIELD: what is wrong", one line
// of valid UTF-8 whatever the manifest holds. Pure, safe from every thread.
#pragma once

#include <string>

#include "controller/kube/json.h"
#include "programs/kubectl-convoke/finding.h"
#include "programs/kubectl-convoke/style.h"

namespace convoke::plugin {

std::string to_line(const Finding& finding, const Style& style);
Json to_json(const Finding& finding);

}  // namespace convoke::plugin
