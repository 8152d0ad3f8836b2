// ControllerRevisions: the definitions that a Workflow had, each named by the hash of its content.
//
// A revision keeps what a run executes (parameters, mode, parallelism, timeout, onFailure, retry, steps,
// outputs), as canonical JSON: equal definitions have equal names, whatever the order of their fields. How
// runs come about and how long they are kept (triggers, historyLimits, suspend, description) is no part of
// it. Pure; safe from every thread.
#pragma once

#include <string>

#include "controller/base/result.h"
#include "controller/kube/json.h"
#include "reconcilers/api/workflow.h"

namespace convoke::workflow {

// The canonical text of what a revision keeps of `spec_json`. Error Invalid if that is not an object.
Result<api::RawJson> revision_content(const api::RawJson& spec_json);

// "<workflow>-<hash10>".
std::string revision_name(const std::string& workflow, const api::RawJson& content);
// For when a foreign object has that name.
std::string alternative_revision_name(const std::string& workflow, const std::string& workflow_uid,
                                      const api::RawJson& content);

// The object to create: owned by the Workflow, labelled with it.
api::ControllerRevision make_revision(const api::Workflow& workflow, std::string name, std::int64_t number,
                                      api::RawJson content);

// The owner reference of what `workflow` creates.
kube::OwnerReference owner_reference(const api::Workflow& workflow);

}  // namespace convoke::workflow
