// All that the API server and the operator would say of some manifests, without either; and what they would
// not say, but somebody who knows Convoke would.
//
// Pure, safe from every thread.
#pragma once

#include <vector>

#include "programs/kubectl-convoke/finding.h"

namespace convoke::plugin {

LintReport check_manifests(const std::vector<Manifest>& manifests);

}  // namespace convoke::plugin
