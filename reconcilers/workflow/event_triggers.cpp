#include "reconcilers/workflow/event_triggers.h"

#include <algorithm>
#include <utility>

#include "reconcilers/api/spec_problems.h"
#include "reconcilers/workflow/definition.h"
#include "reconcilers/workflow/trigger_check.h"

namespace convoke::workflow {
namespace {

bool has_event_trigger(const api::Workflow& workflow) {
  const auto& triggers = workflow.spec.triggers;
  return std::any_of(triggers.begin(), triggers.end(),
                     [](const auto& trigger) { return trigger.type == api::TriggerType::Event; });
}

bool can_work(const api::Workflow& workflow) {
  return !workflow.spec.suspend && !workflow.meta.being_deleted() &&
         api::spec_problems(workflow.malformed).empty() && check_triggers(workflow.spec) &&
         parse_definition(workflow.spec_json, "spec");
}

std::vector<EventTriggerPtr> triggers_of(const std::shared_ptr<const api::Workflow>& workflow) {
  std::vector<EventTriggerPtr> found;
  if (!has_event_trigger(*workflow) || !can_work(*workflow)) {
    return found;
  }
  for (const auto& trigger : workflow->spec.triggers) {
    if (trigger.type != api::TriggerType::Event) {
      continue;
    }
    cel::ProgramPtr filter;
    if (!trigger.event->filter.empty()) {
      filter = cel::Program::compile(trigger.event->filter).value_or(nullptr);
    }
    found.push_back(std::make_shared<const EventTrigger>(EventTrigger{workflow, trigger, std::move(filter)}));
  }
  return found;
}

}  // namespace

void EventTriggers::watch(runtime::Store<api::Workflow>& workflows) {
  workflows.add_handler([this, &workflows](const runtime::Store<api::Workflow>::Change& change) {
    changed(workflows, (change.after ? change.after : change.before)->meta.key());
  });
}

void EventTriggers::changed(const runtime::Store<api::Workflow>& workflows, const kube::ObjectKey& key) {
  const MutexLock lock(mutex_);
  const auto workflow = workflows.get(key);
  if (!workflow || !is_known(key, *workflow)) {
    replace(key, workflow ? triggers_of(workflow) : std::vector<EventTriggerPtr>{});
  }
}

bool EventTriggers::is_known(const kube::ObjectKey& key, const api::Workflow& workflow) const {
  const auto found = by_workflow_.find(key);
  if (found == by_workflow_.end()) {
    return false;
  }
  const auto& known = found->second.front()->workflow->meta;
  return known.uid == workflow.meta.uid && known.generation == workflow.meta.generation &&
         known.being_deleted() == workflow.meta.being_deleted();
}

void EventTriggers::replace(const kube::ObjectKey& key, std::vector<EventTriggerPtr> triggers) {
  if (const auto former = by_workflow_.find(key); former != by_workflow_.end()) {
    for (const auto& trigger : former->second) {
      const auto [begin, end] = by_type_.equal_range(trigger->trigger.event->type);
      by_type_.erase(std::find_if(begin, end, [&](const auto& entry) { return entry.second == trigger; }));
    }
    by_workflow_.erase(former);
  }
  for (const auto& trigger : triggers) {
    by_type_.emplace(trigger->trigger.event->type, trigger);
  }
  if (!triggers.empty()) {
    by_workflow_.emplace(key, std::move(triggers));
  }
}

std::vector<EventTriggerPtr> EventTriggers::find(const std::string& event_type,
                                                 const std::string& namespace_) const {
  std::vector<EventTriggerPtr> found;
  const MutexLock lock(mutex_);
  const auto [begin, end] = by_type_.equal_range(event_type);
  for (auto it = begin; it != end; ++it) {
    if (namespace_.empty() || it->second->workflow->meta.namespace_ == namespace_) {
      found.push_back(it->second);
    }
  }
  return found;
}

Json event_roots(const api::Workflow& workflow, const CloudEvent& event) {
  return {{"event", event.json},
          {"workflow",
           {{"name", workflow.meta.name},
            {"namespace", workflow.meta.namespace_},
            {"labels", workflow.meta.labels}}}};
}

Result<bool> fits(const EventTrigger& trigger, const CloudEvent& event) {
  const auto& wanted = *trigger.trigger.event;
  if (!wanted.source.empty() && wanted.source != event.source) {
    return false;
  }
  if (!trigger.filter) {
    return true;
  }
  const Json roots = event_roots(*trigger.workflow, event);
  cel::Variables variables;
  variables.set("event", roots["event"]);
  variables.set("workflow", roots["workflow"]);
  return trigger.filter->evaluate_bool(variables);
}

}  // namespace convoke::workflow
