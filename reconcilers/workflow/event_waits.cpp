#include "reconcilers/workflow/event_waits.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/run_rows.h"
#include "reconcilers/workflow/run_scope.h"
#include "reconcilers/workflow/wait_step.h"

namespace convoke::workflow {
namespace {

constexpr char kWaitingRuns[] = "waiting-for-event";  // by namespace, and all of them by ""

bool is_waiting(const api::StepStatus& row) {
  return row.phase == api::StepPhase::Running && row.reason == reason::kWaitingForEvent;
}

// The event that the step was given; null if there is none.
Json given_event(const api::WorkflowRun& run, const api::StepStatus& row) {
  const auto found = run.meta.annotations.find(event_annotation(row));
  const auto json = found == run.meta.annotations.end() ? Result<Json>(Json()) : parse_json(found->second);
  return json && json->is_object() ? *json : Json();
}

bool is_wanted_type(const Json& event, const std::string& type) {
  return event.is_object() && event.value("type", Json()) == type;
}

// What a filter sees is what the run reconciler shows it: the same event fits for both.
bool fits_step(const RunSnapshot& snapshot, const Rows& rows, std::size_t step, const Json& event) {
  const auto& filter = snapshot.definition->programs[step].event_filter;
  if (!filter) {
    return true;
  }
  RunScope scope(snapshot, rows);
  scope.select_steps(snapshot.definition->used_steps[step]);
  scope.set_local("event", event);
  return filter->evaluate_bool(scope).value_or(false);
}

}  // namespace

void EventWaits::watch() {
  caches_.runs.add_index(kWaitingRuns, [](const api::WorkflowRun& run) {
    const auto& rows = run.status.steps;
    const bool waits =
        !api::is_terminal(run.status.phase) && std::any_of(rows.begin(), rows.end(), is_waiting);
    return waits ? std::vector<std::string>{"", run.meta.namespace_} : std::vector<std::string>{};
  });
}

Result<std::vector<EventWait>> EventWaits::find(const CloudEvent& event, const std::string& namespace_) {
  std::vector<EventWait> found;
  for (const auto& run : caches_.runs.by_index(kWaitingRuns, namespace_)) {
    if (auto status = add_waits(run, event, found); !status) {
      return status.error();
    }
  }
  return found;
}

Status EventWaits::add_waits(const RunPtr& run, const CloudEvent& event, std::vector<EventWait>& found) {
  auto answer = definitions_.find(*run, run->status, {});
  const auto* source = std::get_if<FoundDefinition>(&answer);
  if (source == nullptr) {
    return {};  // the run reconciler says so
  }
  RunSnapshot snapshot;
  snapshot.run = run;
  snapshot.status = run->status;
  snapshot.definition = source->definition;
  snapshot.parameters = run->status.parameters;
  std::optional<Rows> rows;  // read for the first step that wants this type
  for (const auto& row : run->status.steps) {
    const auto step = is_waiting(row) ? snapshot.definition->find(row.name) : std::nullopt;
    const auto* wait = step ? &snapshot.definition->step(*step).wait : nullptr;
    if (wait == nullptr || !*wait || !(*wait)->event || (*wait)->event->type != event.type) {
      continue;
    }
    if (!rows) {
      if (auto status = children_.match(children_.list(*run), snapshot); !status) {
        return status;
      }
      rows = observe_rows(snapshot);
    }
    const Json given = given_event(*run, row);
    if (given.is_object() && given.value("id", Json()) == event.id &&
        given.value("source", Json()) == event.source) {
      found.push_back({run, row.name, event_annotation(row), true});
    } else if (fits_step(snapshot, *rows, *step, event.json) &&
               !(is_wanted_type(given, event.type) && fits_step(snapshot, *rows, *step, given))) {
      found.push_back({run, row.name, event_annotation(row), false});
    }
  }
  return {};
}

Json event_patch(const EventWait& wait, const CloudEvent& event) {
  return {{"metadata",
           {{"uid", wait.run->meta.uid}, {"annotations", {{wait.annotation, dump_json(event.json)}}}}}};
}

}  // namespace convoke::workflow
