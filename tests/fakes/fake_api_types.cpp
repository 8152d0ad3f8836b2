#include "tests/fakes/fake_api_types.h"

namespace convoke::fakes {
namespace {

const TypeOptions kPlain{.has_status = false, .counts_generation = false};

// The data of a ControllerRevision is what its name promises: it never changes.
Status refuse_changed_data(const WriteReview& review) {
  if (review.before == nullptr ||
      review.before->value("data", Json()) == review.after.value("data", Json())) {
    return {};
  }
  return Error{.code = ErrorCode::Invalid,
               .message = "data: field is immutable",
               .causes = {{"data", "Invalid value: field is immutable", "FieldValueInvalid"}}};
}

}  // namespace

void register_builtin_types(FakeApiServer& server) {
  TypeOptions unconditional = kPlain;
  unconditional.allows_unconditional_update = true;
  TypeOptions revisions = kPlain;
  revisions.allows_unconditional_update = true;
  revisions.review = refuse_changed_data;
  server.register_type({"", "v1", "namespaces", "Namespace", false}, unconditional);
  server.register_type({"", "v1", "configmaps", "ConfigMap", true}, unconditional);
  server.register_type({"coordination.k8s.io", "v1", "leases", "Lease", true}, kPlain);
  server.register_type({"events.k8s.io", "v1", "events", "Event", true}, unconditional);
  server.register_type({"apps", "v1", "controllerrevisions", "ControllerRevision", true}, revisions);
  server.register_type({"batch", "v1", "jobs", "Job", true}, {.selectable_fields = {"status.successful"}});
}

void register_convoke_types(FakeApiServer& server) {
  register_builtin_types(server);
  const auto type = [](const char* plural, const char* kind) {
    return kube::ResourceType{"convoke.dev", "v1alpha1", plural, kind, true};
  };
  server.register_type(type("agents", "Agent"), {.selectable_fields = {"spec.type", "status.phase"}});
  server.register_type(type("tasks", "Task"), {.selectable_fields = {"spec.type", "spec.agentName",
                                                                     "status.agentName", "status.phase"}});
  server.register_type(type("workflows", "Workflow"), {.selectable_fields = {"status.phase"}});
  server.register_type(type("workflowruns", "WorkflowRun"),
                       {.selectable_fields = {"spec.workflowName", "status.phase"}});
}

}  // namespace convoke::fakes
