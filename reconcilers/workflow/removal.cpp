#include "reconcilers/workflow/removal.h"

#include "reconcilers/workflow/workflow_audit.h"

namespace convoke::workflow {

Status remove_object(kube::Client& client, api::AuditLog* audit, const kube::ResourceType& type,
                     const kube::ObjectMeta& meta, const char* reason) {
  const auto removed =
      client.remove(type, meta.key(), {meta.uid, meta.resource_version, kube::Propagation::Background});
  if (removed && audit != nullptr) {
    audit->record(audit_of_removal(type, meta, reason));
  }
  if (removed || removed.error().code == ErrorCode::NotFound || removed.error().code == ErrorCode::Conflict) {
    return {};
  }
  return removed.error().with_context("deleting " + type.kind + " " + meta.key().str());
}

}  // namespace convoke::workflow
