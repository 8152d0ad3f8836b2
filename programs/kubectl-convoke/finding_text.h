// A finding for people and for programs: "FILE:LINE:COLUMN: error: KIND NAME: FIELD: what is wrong", one line
// of valid UTF-8 whatever the manifest holds. Pure, safe from every thread.
#pragma once

#include <cstdint>
#include <string>

#include "controller/kube/json.h"
#include "programs/kubectl-convoke/finding.h"
#include "programs/kubectl-convoke/style.h"

namespace convoke::plugin {

// A text of a manifest, in quotes and cut to a length that a message can bear.
std::string quoted(const std::string& text);
// "1 error", "2 errors"
std::string counted(std::int64_t count, const std::string& word);

std::string to_line(const Finding& finding, const Style& style);
Json to_json(const Finding& finding);

}  // namespace convoke::plugin
