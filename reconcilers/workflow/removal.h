// Deletes a Workflow's run or revision, as it was last seen.
#pragma once

#include "controller/kube/client.h"
#include "reconcilers/api/audit_log.h"

namespace convoke::workflow {

// Also good: it is gone already, or has changed since; then it is looked at again. `audit`, which may be
// null, is told the reason.
Status remove_object(kube::Client& client, api::AuditLog* audit, const kube::ResourceType& type,
                     const kube::ObjectMeta& meta, const char* reason);

}  // namespace convoke::workflow
