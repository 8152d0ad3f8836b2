#include "reconcilers/workflow/wait_step.h"

#include <algorithm>

#include "controller/base/time_format.h"
#include "reconcilers/api/field_reader.h"
#include "reconcilers/workflow/child_name.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/step_result.h"

namespace convoke::workflow {
namespace {

void succeed(Plan& plan, std::size_t i) {
  end_row(plan.rows[i], api::StepPhase::Succeeded, "", "", plan.now);
}

void wait_until(Plan& plan, std::size_t i, WallTime time) {
  if (time <= plan.snapshot.now) {
    return succeed(plan, i);
  }
  explain_row(plan.rows[i], reason::kWaiting, "until " + format_time(time));
  plan.wake_at(time);
}

void wait_for_duration(Plan& plan, std::size_t i) {
  const auto text = expression::expand(plan.definition.step(i).wait->duration, plan.scope(), "wait.duration");
  if (!text) {
    return fail_row(plan, i, text.error());
  }
  const auto duration = text->is_string() ? parse_duration(text->get<std::string>())
                                          : Result<Duration>(Error{ErrorCode::Invalid, "not a string"});
  const auto started = parse_time(plan.rows[i].started_at);
  if (!duration || !started || *duration > api::kMaxDuration) {
    return fail_row(
        plan, i,
        {ErrorCode::Invalid, "wait.duration: expected a duration such as \"90s\"", reason::kWrongType});
  }
  wait_until(plan, i, *started + *duration);
}

void wait_for_condition(Plan& plan, std::size_t i) {
  plan.scope().set_now(plan.snapshot.now);
  const auto value = plan.definition.programs[i].wait_until->evaluate(plan.scope());
  if (!value) {
    return fail_row(plan, i, value.error().with_context("wait.until"));
  }
  if (value->is(cel::Kind::Timestamp)) {
    constexpr std::int64_t kFarFuture = 9'000'000'000;  // what a WallTime can hold
    const auto time = value->as_timestamp();
    const std::chrono::seconds seconds(std::clamp<std::int64_t>(time.seconds, 0, kFarFuture));
    return wait_until(plan, i, WallTime(seconds + std::chrono::nanoseconds(time.nanos)));
  }
  if (!value->is(cel::Kind::Bool)) {
    return fail_row(plan, i,
                    {ErrorCode::Invalid, "wait.until: expected a bool or a timestamp", reason::kWrongType});
  }
  if (value->as_bool()) {
    return succeed(plan, i);
  }
  explain_row(plan.rows[i], reason::kWaiting, "until " + plan.definition.step(i).wait->until);
  plan.wake_at(plan.snapshot.now + kPollInterval);
}

// The event that was delivered for this step, whether it is the wanted one or not; null if there is none.
Json delivered_event(const RunSnapshot& snapshot, const api::StepStatus& row) {
  const auto& annotations = snapshot.run->meta.annotations;
  const auto found = annotations.find(event_annotation(row));
  return found == annotations.end() ? Json() : object_of(found->second);
}

// An annotation may be written by hand: what it holds is looked at as if it came from outside.
void wait_for_event(Plan& plan, std::size_t i) {
  const auto& wanted = *plan.definition.step(i).wait->event;
  const Json event = delivered_event(plan.snapshot, plan.rows[i]);
  if (event.is_object() && event.contains("type") && event["type"] == wanted.type) {
    const auto& filter = plan.definition.programs[i].event_filter;
    plan.scope().set_local("event", event);
    const auto matches = filter ? holds(plan, *filter) : Result<bool>(true);
    if (matches && *matches) {
      return succeed(plan, i);
    }
  }
  explain_row(plan.rows[i], reason::kWaitingForEvent,
              "an event of type " + wanted.type + (wanted.filter.empty() ? "" : " with " + wanted.filter) +
                  " in the annotation " + event_annotation(plan.rows[i]));
}

void limit_wait(Plan& plan, std::size_t i) {
  auto& row = plan.rows[i];
  const auto& timeout = plan.definition.step(i).timeout;
  const auto started = parse_time(row.started_at);
  if (!timeout || !started || api::is_terminal(row.phase)) {
    return;
  }
  if (*started + *timeout > plan.snapshot.now) {
    return plan.wake_at(*started + *timeout);
  }
  end_row(row, api::StepPhase::Failed, reason::kTimeout, "timed out after " + human_duration(*timeout),
          plan.now);
}

}  // namespace

void start_wait(Plan& plan, std::size_t i) {
  start_row(plan.rows[i], plan.definition.step(i), "", format_micro_time(plan.snapshot.now));
  advance_wait(plan, i);
}

void advance_wait(Plan& plan, std::size_t i) {
  const auto& wait = *plan.definition.step(i).wait;
  if (wait.event) {
    wait_for_event(plan, i);
  } else if (!wait.until.empty()) {
    wait_for_condition(plan, i);
  } else {
    wait_for_duration(plan, i);
  }
  limit_wait(plan, i);
}

std::string event_annotation(const api::StepStatus& row) {
  std::string name = row.name;
  if (row.iteration > 1) {
    name += "-" + std::to_string(row.iteration);
  }
  if (row.round > 0) {
    name += "-r" + std::to_string(row.round);
  }
  return annotation::kEventPrefix + fit_name(name);
}

Json wait_outputs(const RunSnapshot& snapshot, const api::StepStatus& row, std::size_t step) {
  return snapshot.definition->step(step).wait->event ? delivered_event(snapshot, row) : Json();
}

}  // namespace convoke::workflow
