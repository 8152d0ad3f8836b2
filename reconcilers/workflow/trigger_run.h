// The runs that triggers make: their names, which are the same however often and by whomever they are made,
// and their manifests.
//
// Pure; safe from every thread.
#pragma once

#include <map>
#include <string>

#include "controller/kube/json.h"
#include "reconcilers/api/workflow.h"
#include "reconcilers/workflow/history.h"

namespace convoke::workflow {

// "<workflow>[-<name of the trigger>]-<minutes since 1970>"
std::string scheduled_run_name(const api::Workflow& workflow, const api::Trigger& trigger, WallTime time);
// "<workflow>-rev<number>-<hash of the revision>"
std::string changed_run_name(const api::Workflow& workflow, const std::string& revision, std::int64_t number);
// For when a foreign object has the name.
std::string alternative_run_name(const api::Workflow& workflow, const std::string& name);

struct TriggeredRun {
  std::string name;
  std::string revision;  // empty: the one that is current when it starts
  Json parameters = Json::object();
  Json event = nullptr;  // null: none
  std::map<std::string, std::string> annotations = {};
};

// Owned by the Workflow and labelled with it and the trigger.
Json triggered_run(const api::Workflow& workflow, const api::Trigger& trigger, TriggeredRun run);

bool is_controlled_by(const kube::ObjectMeta& meta, const std::string& uid);
// True if there is one of that name that this Workflow owns.
bool has_run(const Runs& runs, const std::string& name, const std::string& owner_uid);

}  // namespace convoke::workflow
