// One complete manifest of each kind: every field that the kinds have, none at its default.
#pragma once

#include "controller/kube/json.h"

namespace convoke::api::manifests {

Json agent();
Json task();
Json workflow();
Json workflow_run();

}  // namespace convoke::api::manifests
