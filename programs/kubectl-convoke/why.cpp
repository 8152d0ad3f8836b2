#include "programs/kubectl-convoke/why.h"

#include <algorithm>
#include <ostream>

#include "controller/base/time_format.h"
#include "programs/kubectl-convoke/change.h"
#include "programs/kubectl-convoke/definition_lookup.h"
#include "programs/kubectl-convoke/json_view.h"
#include "programs/kubectl-convoke/workflow_view.h"
#include "reconcilers/api/workflow_run.h"

namespace convoke::plugin {
namespace {

constexpr std::size_t kMaxAgents = 20;
constexpr std::size_t kMaxSteps = 20;
constexpr std::size_t kMaxEvents = 5;

std::string ago(const std::string& time, WallTime now) {
  const auto at = parse_time(time);
  return at ? human_duration(std::max(Duration::zero(), now - *at)) + " ago" : "at an unknown time";
}

std::string in(const std::string& time, WallTime now) {
  const auto at = parse_time(time);
  if (!at) return time;
  return *at > now ? "in " + human_duration(*at - now) + " (" + time + ")" : "at " + time + ", which is past";
}

std::string joined_with(const std::vector<std::string>& words, const char* last = " and ") {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == words.size() ? last : ", ") + words[i];
  }
  return text;
}

std::string in_quotes(const std::string& text) {
  return "\"" + one_line(text) + "\"";
}

// What the object itself says, as a sentence.
void add_own_words(const Json& object, std::vector<std::string>& because) {
  const auto message = text_at(object, "/status/message");
  const auto reason = text_at(object, "/status/reason");
  if (!message.empty()) because.push_back("The operator says (" + reason + "): " + one_line(message));
}

class TaskExplainer {
 public:
  TaskExplainer(const Json& task, const std::vector<api::Agent>& agents, WallTime now)
      : task_(task), agents_(agents), now_(now), name_(name_of(task)) {
    result_.object = "task/" + name_;
    result_.phase = phase_of(task);
  }

  Explanation explain() {
    const auto& phase = result_.phase;
    if (value_at(task_, "/status/observedGeneration").is_null() ||
        number_at(task_, "/status/observedGeneration") < 0) {
      say("The operator has not seen it yet.");
      act("Is the operator running, and does it look at this namespace? kubectl get pods -A -l "
          "app.kubernetes.io/name=convoke");
    } else if (phase == "Pending" || phase == "Queued") {
      explain_waiting();
    } else if (phase == "Assigned" || phase == "Running") {
      explain_live();
    } else {
      explain_ended();
    }
    return std::move(result_);
  }

 private:
  void say(std::string sentence) { result_.because.push_back(std::move(sentence)); }
  void act(std::string sentence) { result_.actions.push_back(std::move(sentence)); }

  void explain_waiting() {
    const auto reason = text_at(task_, "/status/reason");
    if (!value_at(task_, "/spec/cancel").is_null()) return say("It is being cancelled.");
    if (flag_at(task_, "/spec/suspend")) {
      say("It is suspended (spec.suspend): no agent gets it.");
      return act("kubectl convoke resume task/" + name_);
    }
    if (reason == "InvalidSpec") {
      add_own_words(task_, result_.because);
      return act("Correct its spec; `kubectl convoke lint FILE` says before the next apply what is wrong.");
    }
    if (!objects_at(task_, "/spec/subtasks").empty()) return explain_subtasks();
    if (explain_times()) return;
    const Json& lock = value_at(task_, "/status/waitingForLock");
    if (lock.is_object()) return explain_lock(lock);
    if (reason == "DuplicateOf" || reason == "WaitingForLock") return add_own_words(task_, result_.because);
    explain_agents();
  }

  bool explain_times() {
    const auto not_before = parse_time(text_at(task_, "/spec/notBefore"));
    if (not_before && *not_before > now_) {
      say("It must not start before its time (spec.notBefore), " +
          in(text_at(task_, "/spec/notBefore"), now_) + ".");
      return true;
    }
    const auto retry_at = parse_time(text_at(task_, "/status/retryAt"));
    if (!retry_at || *retry_at <= now_) return false;
    say("Its last attempt did not succeed; it is tried again " + in(text_at(task_, "/status/retryAt"), now_) +
        ".");
    add_last_attempt();
    return true;
  }

  void explain_lock(const Json& lock) {
    const auto holder = text_at(lock, "/heldBy");
    say("It waits for the lock " + in_quotes(text_at(lock, "/name")) + ", as number " +
        text_at(lock, "/position") + " in the queue" +
        (holder.empty() ? "." : "; held by " + one_line(holder) + "."));
    act("Wait until the holder ends, or break the lock if its holder is lost: kubectl annotate lease "
        "convoke-lock-" +
        text_at(lock, "/name") + " convoke.dev/break-lock=\"why\"");
  }

  void explain_subtasks() {
    std::vector<std::string> open;
    for (const auto& row : objects_at(task_, "/status/subtasks")) {
      const auto phase = text_at(row, "/phase");
      const bool ended = phase == "Succeeded" || phase == "Failed" || phase == "Cancelled";
      if (!ended)
        open.push_back(text_at(row, "/name") + " (" + (phase.empty() ? "not created" : phase) + ")");
    }
    add_own_words(task_, result_.because);
    if (!open.empty()) say("Its subtasks do the work; these have not ended: " + joined_with(open) + ".");
    act("kubectl convoke tree task/" + name_);
  }

  void explain_agents() {
    const auto typed = api::Task::from_json(task_);
    const auto who = qualify(typed, agents_);
    for (const auto& one : who.candidates) {
      result_.agents.push_back({one.agent, "could take it now (score " + one.score + ")", true});
    }
    bool busy = false;
    for (const auto& one : who.objections) {
      result_.agents.push_back({one.agent, one.reason, false});
      busy = busy || one.is_busy;
    }
    const auto wanted = joined_with(typed.spec.required_capabilities());
    if (!who.any_agents) {
      say("There are no agents in its namespace.");
      act("Start an agent with the capability " + wanted +
          " in this namespace; `kubectl get agents -A` shows those of all.");
    } else if (!who.candidates.empty()) {
      say("An agent could take it now, so it should be assigned at once.");
      act("If it stays like this: a rule of the operator's configuration may forbid it; see the operator's "
          "log.");
    } else if (busy) {
      say("The agents that can do it are busy; it waits for room" + queue_text() + ".");
      act("Wait, raise an agent's spec.capacity, or add one with the capability " + wanted + ".");
    } else {
      say("No agent can take it: it needs " + wanted + requirement_text(typed) + ".");
      act("Start an agent that can, or correct what the task asks for (spec.type, spec.requires, "
          "spec.agentName).");
    }
    add_last_attempt();
  }

  std::string queue_text() const {
    const auto queued = text_at(task_, "/status/queuedAt");
    return queued.empty() ? ""
                          : ", queued " + ago(queued, now_) + " with priority " +
                                std::to_string(number_at(task_, "/spec/priority", 3));
  }

  static std::string requirement_text(const api::Task& task) {
    std::string text;
    if (!task.spec.agent_name.empty()) text += ", by the agent " + task.spec.agent_name;
    if (!task.spec.requires_.agent_selector.empty()) {
      text += ", with labels " + task.spec.requires_.agent_selector.describe();
    }
    if (!task.spec.requires_.rule.empty()) text += ", where " + one_line(task.spec.requires_.rule);
    return text;
  }

  void add_last_attempt() {
    const auto attempts = objects_at(task_, "/status/attempts");
    if (attempts.empty()) return;
    const Json& last = attempts.back();
    say("Attempt " + text_at(last, "/attempt") + " on " + text_at(last, "/agentName") + " ended as " +
        text_at(last, "/outcome") + ": " + one_line(text_at(last, "/message")));
  }

  void explain_live() {
    const auto agent = text_at(task_, "/status/agentName");
    const auto attempt = std::to_string(number_at(task_, "/status/attempt", 1));
    if (result_.phase == "Assigned") {
      say("It was given to the agent " + agent + " " + ago(text_at(task_, "/status/assignedAt"), now_) +
          ", which has not begun it.");
    } else {
      say("The agent " + agent + " began it " + ago(text_at(task_, "/status/startedAt"), now_) +
          " (attempt " + attempt + ").");
    }
    add_agent_state(agent);
    const auto message = text_at(task_, "/status/report/message");
    const Json& progress = value_at(task_, "/status/report/progress");
    if (progress.is_number())
      say("Progress: " + progress.dump() + "%" + (message.empty() ? "." : ", " + in_quotes(message) + "."));
    add_assignment();
    act("kubectl convoke cancel task/" + name_ + " --reason ...");
  }

  void add_agent_state(const std::string& name) {
    const auto found = std::find_if(agents_.begin(), agents_.end(),
                                    [&](const api::Agent& agent) { return agent.meta.name == name; });
    if (found == agents_.end())
      return say("That agent does not exist any more; its tasks are given to others soon.");
    if (found->status.phase == api::AgentPhase::Ready) return;
    say("That agent is " + std::string(api::to_string(found->status.phase)) + "; last heartbeat " +
        ago(found->status.last_heartbeat_time, now_) + ".");
  }

  void add_assignment() {
    const auto score = text_at(task_, "/status/assignment/score");
    if (score.empty()) return;
    say("It was chosen of " + std::to_string(number_at(task_, "/status/assignment/candidates", 1)) +
        " candidates by " + text_at(task_, "/status/assignment/strategy") + " (score " + score + ").");
    for (const auto& one : objects_at(task_, "/status/assignment/rejected")) {
      result_.agents.push_back({text_at(one, "/agentName"), text_at(one, "/reason"), false});
    }
  }

  void explain_ended() {
    if (result_.phase == "Succeeded") {
      say("It succeeded on " + text_at(task_, "/status/agentName") + " " +
          ago(text_at(task_, "/status/completedAt"), now_) + ".");
      return;
    }
    add_own_words(task_, result_.because);
    for (const auto& attempt : objects_at(task_, "/status/attempts")) {
      say("Attempt " + text_at(attempt, "/attempt") + " on " + text_at(attempt, "/agentName") + ": " +
          text_at(attempt, "/outcome") + ", " + one_line(text_at(attempt, "/message")));
    }
    const auto run = text_at(task_, "/metadata/labels/convoke.dev~1run");
    if (!run.empty()) {
      act("Once the cause is mended: kubectl convoke retry " + run);
    } else {
      act("A task that ended does not change any more: correct the cause and create it anew.");
    }
  }

  const Json& task_;
  const std::vector<api::Agent>& agents_;
  const WallTime now_;
  const std::string name_;
  Explanation result_;
};

class RunExplainer {
 public:
  RunExplainer(const Json& run, const Json& spec, const World& world, const std::vector<api::Agent>& agents,
               WallTime now)
      : run_(run),
        view_(view_of("", spec)),
        world_(world),
        tasks_(world.tasks_of(uid_of(run))),
        agents_(agents),
        now_(now),
        name_(name_of(run)) {
    result_.object = "run/" + name_;
    result_.phase = phase_of(run);
  }

  Explanation explain() {
    if (number_at(run_, "/status/observedGeneration", -1) < 0) {
      say("The operator has not seen it yet.");
      act("Is the operator running, and does it look at this namespace? kubectl get pods -A -l "
          "app.kubernetes.io/name=convoke");
    } else if (has_ended(run_)) {
      explain_ended();
    } else {
      explain_live();
    }
    return std::move(result_);
  }

 private:
  void say(std::string sentence) { result_.because.push_back(std::move(sentence)); }
  void act(std::string sentence) {
    if (std::find(result_.actions.begin(), result_.actions.end(), sentence) == result_.actions.end()) {
      result_.actions.push_back(std::move(sentence));
    }
  }

  void explain_live() {
    const bool suspended = flag_at(run_, "/spec/suspend");
    if (!value_at(run_, "/spec/cancel").is_null()) {
      const auto reason = text_at(run_, "/spec/cancel/reason");
      say("It is being cancelled" + (reason.empty() ? "." : ": " + one_line(reason) + "."));
    } else if (suspended) {
      say("It is suspended (spec.suspend): no new steps start.");
      act("kubectl convoke resume run/" + name_);
    }
    const auto rows = objects_at(run_, "/status/steps");
    // Before its steps are known, its own words are all there is.
    if (rows.empty() || phase_of(run_) == "Pending" || phase_of(run_) == "Compensating") {
      add_own_words(run_, result_.because);
    }
    std::size_t shown = 0;
    std::size_t pending = 0;
    for (const auto& row : rows) {
      const auto phase = text_at(row, "/phase");
      const bool open = phase == "Running" || phase == "Compensating";
      if (open && ++shown <= kMaxSteps) explain_step(row);
      if (phase == "Pending" && !suspended && ++pending <= kMaxSteps) explain_pending(row, rows);
    }
    if (shown > kMaxSteps) say("... and " + std::to_string(shown - kMaxSteps) + " more steps that run.");
    if (pending > kMaxSteps) say("... and " + std::to_string(pending - kMaxSteps) + " more steps that wait.");
  }

  void explain_step(const Json& row) {
    const auto name = text_at(row, "/name");
    const auto start = "Step " + in_quotes(name) + " ";
    const auto* step = view_.find(name);
    const std::string kind = step == nullptr ? "" : step->kind;
    if (kind == "approval") return explain_approval(row, *step);
    if (kind == "wait")
      return say(start + "waits " + (step->detail.empty() ? "" : step->detail + " ") + words_of(row));
    if (const auto run = text_at(row, "/runName"); !run.empty()) return explain_sub_run(start, run);
    if (const auto items = text_at(row, "/items"); !items.empty()) return explain_items(start, row);
    const Json* task = world_.task_of_row(row, tasks_);
    if (task == nullptr) return say(start + "runs" + words_of(row));
    add_task(start, *task);
  }

  std::string words_of(const Json& row) const {
    const auto message = text_at(row, "/message");
    return message.empty() ? "." : ": " + one_line(message);
  }

  void add_task(const std::string& start, const Json& task) {
    const auto inner = explain_task(task, agents_, now_);
    std::string text = start + "is a Task, " + name_of(task) + ", which is " + inner.phase + ".";
    for (const auto& sentence : inner.because) text += " " + sentence;
    say(std::move(text));
    for (const auto& agent : inner.agents) result_.agents.push_back(agent);
    const bool waits = inner.phase == "Pending" || inner.phase == "Queued";
    for (const auto& action : inner.actions) {
      if (waits) act(action);
    }
  }

  void explain_sub_run(const std::string& start, const std::string& name) {
    const Json* run = world_.run(name);
    say(start + "waits for the run " + name + (run == nullptr ? "." : ", which is " + phase_of(*run) + "."));
    act("kubectl convoke why run/" + name);
  }

  void explain_items(const std::string& start, const Json& row) {
    say(start + "has not ended for all of its items" + words_of(row));
    for (const Json* task : tasks_) {
      const bool own = text_at(*task, "/metadata/labels/convoke.dev~1step") == text_at(row, "/name");
      if (!own || has_ended(*task) || phase_of(*task) == "Running") continue;
      return add_task("One of its items ", *task);
    }
  }

  void explain_approval(const Json& row, const StepView& step) {
    const auto required = number_at(step.json, "/approval/required", 1);
    const auto approvers = texts_at(step.json, "/approval/approvers");
    std::vector<std::string> given;
    for (const auto& one : objects_at(run_, "/spec/approvals")) {
      const bool counts =
          text_at(one, "/step") == step.name && number_at(one, "/round") == number_at(run_, "/status/round");
      if (counts) given.push_back(text_at(one, "/user") + " (" + text_at(one, "/decision") + ")");
    }
    say("Step " + in_quotes(step.name) + " waits for " + std::to_string(required) +
        (required == 1 ? " approval" : " approvals") +
        (approvers.empty() ? "" : " by " + joined_with(approvers, " or ")) +
        "; so far: " + (given.empty() ? "none" : joined_with(given)) + words_of(row));
    act("kubectl convoke approve " + name_ + " " + step.name + "   (or reject)");
  }

  void explain_pending(const Json& row, const std::vector<Json>& rows) {
    const auto name = text_at(row, "/name");
    const auto start = "Step " + in_quotes(name) + " ";
    const auto* step = view_.find(name);
    std::vector<std::string> waits_for;
    for (const auto& before : step == nullptr ? std::vector<std::string>() : step->depends_on) {
      for (const auto& other : rows) {
        const auto phase = text_at(other, "/phase");
        const bool open = phase == "Pending" || phase == "Running" || phase.empty();
        if (text_at(other, "/name") == before && open) waits_for.push_back(before + " (" + phase + ")");
      }
    }
    if (!waits_for.empty()) return say(start + "waits for " + joined_with(waits_for) + ".");
    if (step != nullptr && step->is_finally) return say(start + "runs when all else has ended.");
    const auto running = number_at(run_, "/status/counts/running");
    if (view_.parallelism > 0 && running >= view_.parallelism && step != nullptr) {
      return say(start + "waits for room: " + std::to_string(running) +
                 " steps run, and spec.parallelism is " + std::to_string(view_.parallelism) + ".");
    }
    say(start + "is about to start" + words_of(row));
  }

  void explain_ended() {
    if (phase_of(run_) == "Succeeded") {
      say("It succeeded " + ago(text_at(run_, "/status/completedAt"), now_) + ".");
      return;
    }
    add_own_words(run_, result_.because);
    for (const auto& row : objects_at(run_, "/status/steps")) {
      if (text_at(row, "/phase") != "Failed") continue;
      std::string text = "Step " + in_quotes(text_at(row, "/name")) + " failed";
      const Json* task = world_.task_of_row(row, tasks_);
      if (task != nullptr)
        text += " (task/" + name_of(*task) + ", attempt " + text_at(*task, "/status/attempt") + " on " +
                text_at(*task, "/status/agentName") + ")";
      say(text + words_of(row));
      if (const auto run = text_at(row, "/runName"); !run.empty()) act("kubectl convoke why run/" + run);
    }
    const auto reason = text_at(run_, "/status/reason");
    if (reason.starts_with("Invalid")) {
      act("Correct the definition or the parameters and start another run; `kubectl convoke lint FILE` "
          "checks them before.");
    } else if (const auto never = why_never_retried(run_); !never.empty()) {
      act("It " + never + ", so it cannot be retried; a new run like it: kubectl convoke rerun " + name_);
    } else {
      act("Once the cause is mended: kubectl convoke retry " + name_);
    }
  }

  const Json& run_;
  const WorkflowView view_;
  const World& world_;
  const std::vector<const Json*> tasks_;  // the run's own
  const std::vector<api::Agent>& agents_;
  const WallTime now_;
  const std::string name_;
  Explanation result_;
};

void add_events(const Context& context, const Json& object, Explanation& explanation) {
  // Who may read Tasks need not be allowed to read Events.
  const auto events = context.cluster.events_of(object);
  if (!events) return;
  const auto now = context.clock.wall_now();
  const auto begin = events->size() > kMaxEvents ? events->size() - kMaxEvents : 0;
  for (std::size_t i = begin; i < events->size(); ++i) {
    const Json& event = (*events)[i];
    explanation.events.push_back(ago(text_at(event, "/lastTime"), now) + "  " + text_at(event, "/reason") +
                                 ": " + one_line(text_at(event, "/note")));
  }
}

Json to_json(const Explanation& explanation) {
  Json json = {{"object", explanation.object},
               {"phase", explanation.phase},
               {"because", explanation.because},
               {"actions", explanation.actions},
               {"events", explanation.events}};
  json["agents"] = Json::array();
  for (const auto& one : explanation.agents) {
    json["agents"].push_back({{"agentName", one.agent}, {"reason", one.word}, {"fits", one.fits}});
  }
  return json;
}

void print(const Context& context, const Explanation& explanation) {
  auto& out = context.out;
  const auto& style = context.style;
  out << style.bold(explanation.object) << " is "
      << (style.unicode ? style.phase(explanation.phase) : explanation.phase) << "\n";
  for (const auto& sentence : explanation.because) out << "  " << sentence << "\n";
  if (!explanation.agents.empty()) out << "\n" << style.bold("Agents") << "\n";
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < std::min(explanation.agents.size(), kMaxAgents); ++i) {
    const auto& one = explanation.agents[i];
    rows.push_back({"  " + one.agent, one.word});
  }
  for (const auto& line : align(rows)) out << line << "\n";
  if (explanation.agents.size() > kMaxAgents) {
    out << "  ... and " << explanation.agents.size() - kMaxAgents << " more\n";
  }
  if (!explanation.actions.empty()) out << "\n" << style.bold("What you can do") << "\n";
  for (const auto& action : explanation.actions) out << "  " << action << "\n";
  if (!explanation.events.empty()) out << "\n" << style.bold("Last Events") << "\n";
  for (const auto& event : explanation.events) out << "  " << event << "\n";
}

Result<std::vector<api::Agent>> agents_of(const Cluster& cluster) {
  const auto objects = cluster.list(api::kAgent);
  // Without the right to read agents there is still much to say.
  if (!objects && objects.error().code == ErrorCode::Forbidden) return std::vector<api::Agent>();
  if (!objects) return objects.error();
  std::vector<api::Agent> agents;
  for (const auto& object : *objects) agents.push_back(api::Agent::from_json(object));
  return agents;
}

}  // namespace

Explanation explain_task(const Json& task, const std::vector<api::Agent>& agents, WallTime now) {
  return TaskExplainer(task, agents, now).explain();
}

Explanation explain_run(const Json& run, const Json& spec, const World& world,
                        const std::vector<api::Agent>& agents, WallTime now) {
  return RunExplainer(run, spec, world, agents, now).explain();
}

Result<int> why(const Context& context, const std::string& target) {
  const auto found = context.cluster.find_any({&api::kTask, &api::kWorkflowRun}, target);
  if (!found) return found.error();
  const auto agents = agents_of(context.cluster);
  if (!agents) return agents.error();
  const auto now = context.clock.wall_now();
  Explanation explanation;
  if (*found->type == api::kTask) {
    explanation = explain_task(found->object, *agents, now);
  } else {
    World world;
    if (auto loaded = load_run(context.cluster, found->object, world); !loaded) return loaded.error();
    const auto definition = definition_of_run(context.cluster, found->object);
    if (!definition) return definition.error();
    explanation = explain_run(found->object, definition->spec, world, *agents, now);
  }
  add_events(context, found->object, explanation);
  if (context.json) {
    context.out << to_json(explanation).dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    print(context, explanation);
  }
  return kDone;
}

}  // namespace convoke::plugin
