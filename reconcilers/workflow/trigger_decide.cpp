#include "reconcilers/workflow/trigger_decide.h"

#include <algorithm>
#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/schedule/schedule.h"
#include "reconcilers/workflow/child_name.h"
#include "reconcilers/workflow/parameters.h"
#include "reconcilers/workflow/reasons.h"
#include "reconcilers/workflow/trigger_check.h"
#include "reconcilers/workflow/trigger_run.h"

namespace convoke::workflow {
namespace {

constexpr std::size_t kMaxTriggerMessageBytes = 256;

const api::TriggerStatus* find_row(const std::vector<api::TriggerStatus>& rows, const std::string& name) {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const auto& candidate) { return candidate.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

std::optional<WallTime> time_of(const std::string& text) {
  const auto time = text.empty() ? Result<WallTime>(ErrorCode::Invalid, "") : parse_time(text);
  return time ? std::optional(*time) : std::nullopt;
}

std::string text_of(std::optional<WallTime> time) {
  return time ? format_time(*time) : "";
}

class Decider {
 public:
  Decider(const TriggerSnapshot& snapshot, api::WorkflowStatus& status)
      : snapshot_(snapshot), workflow_(snapshot.workflow), status_(status) {}

  TriggerDecision decide() {
    std::vector<api::TriggerStatus> rows;
    for (const auto& trigger : workflow_.spec.triggers) {
      const auto* before = find_row(workflow_.status.triggers, trigger.key());
      api::TriggerStatus row =
          before != nullptr && before->type == api::to_string(trigger.type) ? *before : api::TriggerStatus{};
      row.name = trigger.key();
      row.type = api::to_string(trigger.type);
      pull(trigger, row, rows);
    }
    set_next(rows);
    status_.triggers = std::move(rows);
    if (decision_.summary.empty()) {
      decision_.summary = "runs start by hand";
    }
    return std::move(decision_);
  }

 private:
  void pull(const api::Trigger& trigger, api::TriggerStatus& row, std::vector<api::TriggerStatus>& rows) {
    switch (trigger.type) {
      case api::TriggerType::Create:
        return say(create(trigger));
      case api::TriggerType::Change:
        change(trigger, row);
        rows.push_back(std::move(row));
        return;
      case api::TriggerType::Schedule:
        schedule(trigger, row);
        rows.push_back(std::move(row));
        return;
      case api::TriggerType::Event:
        return say(workflow_.spec.suspend
                       ? kSuspended
                       : "trigger " + trigger.cause() + " waits for events of the type \"" +
                             api::cut_text(trigger.event->type, 100) + "\"");
    }
  }

  // Each thing once.
  void say(const std::string& what) {
    if (!what.empty() && said_.insert(what).second) {
      decision_.summary += (decision_.summary.empty() ? "" : "; ") + what;
    }
  }

  std::string free_name(std::string name, std::string alternative) const {
    return snapshot_.names_taken.count(name) > 0 ? std::move(alternative) : std::move(name);
  }

  bool exists(const std::string& name) const { return has_run(snapshot_.runs, name, workflow_.meta.uid); }

  void start(const api::Trigger& trigger, TriggeredRun run) {
    const std::string name = run.name;
    run.revision = status_.current_revision;
    decision_.start.push_back({trigger.key(), name, triggered_run(workflow_, trigger, std::move(run))});
  }

  const Error* refusal(const api::Trigger& trigger) const {
    const auto found = snapshot_.refused.find(trigger.key());
    return found == snapshot_.refused.end() ? nullptr : &found->second;
  }

  // Fires once in the life of a Workflow.
  std::string create(const api::Trigger& trigger) {
    if (!status_.created_run.empty()) {
      return "trigger Create made run " + status_.created_run;
    }
    if (workflow_.spec.suspend) {
      return kSuspended;
    }
    const auto& parameters = workflow_.spec.parameters;
    const auto needy = std::find_if(parameters.begin(), parameters.end(),
                                    [](const auto& parameter) { return !needs_no_value(parameter); });
    if (needy != parameters.end()) {
      return "runs start by hand, because parameter \"" + needy->name + "\" is required and has no default";
    }
    if (const Error* error = refusal(trigger)) {
      return "trigger Create cannot make its run: " + error->message;
    }
    const std::string name = free_name(created_run_name(workflow_.meta.name, workflow_.meta.uid),
                                       alternative_created_run_name(workflow_.meta.name, workflow_.meta.uid));
    if (!exists(name)) {
      start(trigger, {name, ""});
    }
    status_.created_run = name;
    return "trigger Create made run " + name;
  }

  // Fires for each revision but the first, which is no change. One that was suspended meanwhile, or is new,
  // takes the current revision for seen, unless that has just come.
  void change(const api::Trigger& trigger, api::TriggerStatus& row) {
    const std::int64_t current = status_.current_revision_number;
    const bool is_first = workflow_.status.current_revision.empty();
    const bool is_news = row.revision_number != 0 ? row.revision_number != current
                                                  : workflow_.status.current_revision_number != current;
    if (is_first || workflow_.spec.suspend || !is_news) {
      row.revision_number = current;
      return say(workflow_.spec.suspend ? kSuspended : "trigger " + trigger.cause() + " waits for a change");
    }
    if (const Error* error = refusal(trigger)) {
      row.revision_number =
          row.revision_number != 0 ? row.revision_number : workflow_.status.current_revision_number;
      row.message = api::cut_text(error->message, kMaxTriggerMessageBytes);
      return say("trigger " + trigger.cause() + " cannot make its run: " + error->message);
    }
    const std::string first = changed_run_name(workflow_, status_.current_revision, current);
    const std::string name = free_name(first, alternative_run_name(workflow_, first));
    if (!exists(name)) {
      start(trigger, {name, ""});
    }
    row.revision_number = current;
    row.last_run = name;
    row.message.clear();
    say("trigger " + trigger.cause() + " waits for a change");
  }

  void schedule(const api::Trigger& trigger, api::TriggerStatus& row) {
    const auto& wanted = *trigger.schedule;
    const auto parsed = schedule::Schedule::parse(wanted.cron, wanted.time_zone);
    if (!parsed) {
      return;  // the check said so
    }
    const std::string text = wanted.cron + " " + (wanted.time_zone.empty() ? "UTC" : wanted.time_zone);
    if (workflow_.spec.suspend) {
      row.next_schedule_time.clear();
      return say(kSuspended);
    }
    auto next = time_of(row.next_schedule_time);
    if (!next || row.schedule != text) {
      // Nothing was missed: it begins now, or after the last time if the clock was set back.
      next = parsed->next(std::max(snapshot_.now, time_of(row.last_schedule_time).value_or(snapshot_.now)));
      row.schedule = text;
    }
    row.next_schedule_time = text_of(next);
    say("trigger " + trigger.cause() + " starts runs at \"" + text + "\"");
    const auto due = next ? parsed->due(*next, snapshot_.now) : std::nullopt;
    if (due && take(trigger, *due, row)) {
      row.missed += count_missed(trigger, due->earlier);
      row.next_schedule_time = text_of(parsed->next(due->latest));
    } else if (due) {
      wake_at(parsed->next(due->latest));
    }
    wake_at(time_of(row.next_schedule_time));
  }

  // False if the time stays due.
  bool take(const api::Trigger& trigger, const schedule::Due& due, api::TriggerStatus& row) {
    const auto& wanted = *trigger.schedule;
    const std::string first = scheduled_run_name(workflow_, trigger, due.latest);
    const std::string name = free_name(first, alternative_run_name(workflow_, first));
    const auto record = [&] {
      row.last_schedule_time = format_time(due.latest);
      row.last_run = name;
      row.message.clear();
      return true;
    };
    if (exists(name)) {
      return record();
    }
    if (wanted.starting_deadline && snapshot_.now - due.latest > *wanted.starting_deadline) {
      ++row.missed;
      return true;
    }
    const Runs live = live_runs(trigger);
    if (!live.empty() && wanted.concurrency_policy == api::ConcurrencyPolicy::Forbid) {
      ++row.skipped;
      return true;
    }
    if (!live.empty() && wanted.concurrency_policy == api::ConcurrencyPolicy::Replace) {
      std::copy_if(live.begin(), live.end(), std::back_inserter(decision_.cancel),
                   [](const auto& run) { return !run->spec.cancel; });
      return false;
    }
    if (const Error* error = refusal(trigger)) {
      row.message = api::cut_text(error->message, kMaxTriggerMessageBytes);
      return false;
    }
    auto parameters = fill_parameters(
        workflow_.spec, trigger,
        {{"schedule", {{"time", format_time(due.latest)}}}, {"workflow", {{"name", workflow_.meta.name}}}});
    if (!parameters) {
      row.message = api::cut_text(parameters.error().message, kMaxTriggerMessageBytes);
      ++row.missed;
      return true;
    }
    start(trigger,
          {name, {}, std::move(*parameters), {}, {{annotation::kScheduledAt, format_time(due.latest)}}});
    return record();
  }

  // A time whose run was made before a restart, and is not in the status yet, was not missed.
  std::int64_t count_missed(const api::Trigger& trigger, const std::vector<WallTime>& times) const {
    return std::count_if(times.begin(), times.end(), [&](WallTime time) {
      return !exists(scheduled_run_name(workflow_, trigger, time));
    });
  }

  Runs live_runs(const api::Trigger& trigger) const {
    Runs live;
    std::copy_if(snapshot_.runs.begin(), snapshot_.runs.end(), std::back_inserter(live),
                 [&](const auto& run) {
                   return !api::is_terminal(run->status.phase) && run->spec.triggered_by == trigger.cause() &&
                          is_controlled_by(run->meta, workflow_.meta.uid);
                 });
    return live;
  }

  void wake_at(std::optional<WallTime> time) {
    if (time && *time > snapshot_.now && (!decision_.wake || *time < *decision_.wake)) {
      decision_.wake = time;
    }
  }

  // Times in that form sort as texts.
  void set_next(const std::vector<api::TriggerStatus>& rows) {
    status_.next_schedule_time.clear();
    for (const auto& row : rows) {
      const auto& next = row.next_schedule_time;
      if (!next.empty() && (status_.next_schedule_time.empty() || next < status_.next_schedule_time)) {
        status_.next_schedule_time = next;
      }
    }
  }

  inline static const std::string kSuspended = "triggers are suspended";

  const TriggerSnapshot& snapshot_;
  const api::Workflow& workflow_;
  api::WorkflowStatus& status_;
  TriggerDecision decision_;
  std::set<std::string> said_;
};

std::string cause_of(const api::TriggerStatus& row) {
  return row.type + " \"" + row.name + "\"";
}

void add_row_events(const api::TriggerStatus& before, const api::TriggerStatus& after,
                    std::vector<EventNote>& notes) {
  using runtime::EventType;
  if (!after.last_run.empty() && after.last_run != before.last_run) {
    const bool is_scheduled = after.last_schedule_time != before.last_schedule_time;
    notes.push_back({EventType::Normal, reason::kRunCreated, "Trigger",
                     "trigger " + cause_of(after) + " made run " + after.last_run +
                         (is_scheduled ? " for " + after.last_schedule_time : "")});
  }
  if (after.missed > before.missed) {
    const auto count = after.missed - before.missed;
    constexpr auto kCounted = static_cast<std::int64_t>(schedule::kMaxCounted);
    notes.push_back({EventType::Warning, reason::kScheduleMissed, "Trigger",
                     "trigger " + cause_of(after) + ": no run was started for " +
                         (count >= kCounted ? "at least " : "") + std::to_string(count) + " scheduled time" +
                         (count == 1 ? "" : "s") +
                         " that had passed already; at most the latest one is made up for, within "
                         "startingDeadline"});
  }
  if (after.skipped > before.skipped) {
    notes.push_back({EventType::Normal, reason::kScheduleSkipped, "Trigger",
                     "trigger " + cause_of(after) +
                         ": no run was started, because one goes on and concurrencyPolicy is Forbid"});
  }
  if (!after.message.empty() && (after.message != before.message || after.missed > before.missed)) {
    notes.push_back({EventType::Warning, reason::kTriggerFailed, "Trigger",
                     "trigger " + cause_of(after) + " cannot start a run: " + after.message});
  }
}

}  // namespace

TriggerDecision decide_triggers(const TriggerSnapshot& snapshot, api::WorkflowStatus& status) {
  return Decider(snapshot, status).decide();
}

std::vector<EventNote> trigger_events(const api::WorkflowStatus& before, const api::WorkflowStatus& after) {
  std::vector<EventNote> notes;
  if (before.created_run != after.created_run) {
    notes.push_back({runtime::EventType::Normal, reason::kRunCreated, "Trigger",
                     "trigger Create made run " + after.created_run});
  }
  for (const auto& row : after.triggers) {
    const auto* former = find_row(before.triggers, row.name);
    add_row_events(former == nullptr ? api::TriggerStatus{} : *former, row, notes);
  }
  return notes;
}

}  // namespace convoke::workflow
