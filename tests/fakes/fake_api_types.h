// The resource types that Convoke touches, as the real API server would serve them.
#pragma once

#include "tests/fakes/fake_api_server.h"

namespace convoke::fakes {

// namespaces, configmaps, leases, events, controllerrevisions and jobs.
void register_builtin_types(FakeApiServer& server);
// The built-in types and convoke.dev/v1alpha1: agents, tasks, workflows and workflowruns, without their
// schemas.
void register_convoke_types(FakeApiServer& server);

}  // namespace convoke::fakes
