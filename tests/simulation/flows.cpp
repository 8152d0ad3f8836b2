#include "tests/simulation/flows.h"

#include <utility>

namespace convoke::simulation {
namespace {

Json retry(int limit) {
  return {{"limit", limit}, {"backoff", {{"base", "1s"}, {"max", "5s"}}}};
}

// A step without a task, with `more` merged over it.
Json bare(const std::string& name, Json depends_on, const Json& more = Json::object()) {
  Json step = {{"name", name}, {"dependsOn", std::move(depends_on)}};
  step.merge_patch(more);
  return step;
}

Json step(const std::string& name, Json depends_on, int retries, const Json& more = Json::object()) {
  Json step = bare(name, std::move(depends_on), {{"task", {{"type", "build"}}}, {"retry", retry(retries)}});
  step.merge_patch(more);
  return step;
}

Json undoable(const std::string& name, Json depends_on, int retries, const Json& more = Json::object()) {
  Json result = step(name, std::move(depends_on), retries, more);
  result["compensate"] = {{"type", "build"}, {"retry", retry(4)}};
  return result;
}

Json flow(Json steps, const Json& more = Json::object()) {
  Json spec = {{"steps", std::move(steps)},
               {"parallelism", 2},
               {"onFailure", "Abort"},
               {"triggers", Json::array()},
               {"historyLimits", {{"succeeded", 1000}, {"failed", 1000}}}};
  spec.merge_patch(more);
  return spec;
}

Json diamond() {
  return flow(
      {step("a", Json::array(), 3), step("b", {"a"}, 3), step("c", {"a"}, 1), step("d", {"b", "c"}, 3)});
}

Json saga() {
  return flow({undoable("flight", Json::array(), 3), undoable("hotel", Json::array(), 3),
               undoable("car", {"flight"}, 2), step("pay", {"hotel", "car"}, 0)},
              {{"onFailure", "Compensate"}, {"finally", {step("notify", Json::array(), 4)}}});
}

Json fan_out() {
  const Json each = {{"forEach", {{"range", {{"from", 1}, {"to", 5}}}, {"parallelism", 2}}}};
  return flow({step("list", Json::array(), 3), undoable("load", {"list"}, 1, each),
               undoable("sum", {"load"}, 1), step("publish", {"sum"}, 0)},
              {{"onFailure", "Compensate"}, {"parallelism", 3}});
}

Json conditions() {
  const Json twice = {{"repeat", {{"until", "iteration >= 2"}, {"delay", "2s"}}}};
  return flow({step("may-fail", Json::array(), 0, {{"optional", true}}),
               step("rescue", {"may-fail.Failed"}, 3), step("never", Json::array(), 3, {{"when", "false"}}),
               step("after", {"never", "may-fail"}, 3, {{"when", "steps['may-fail'].phase != 'Pending'"}}),
               step("twice", Json::array(), 3, twice),
               bare("pause", {"twice"}, {{"wait", {{"duration", "5s"}}}}), step("last", {"pause"}, 3)},
              {{"onFailure", "Continue"},
               {"parallelism", 3},
               {"finally", {step("clean", Json::array(), 3), step("report", {"clean"}, 3)}}});
}

// Each item on its own, twice.
Json polls() {
  const Json each = {{"forEach", {{"items", {"x", "y", "z"}}, {"parallelism", 2}}},
                     {"repeat", {{"until", "iteration >= 2"}, {"delay", "1s"}}}};
  return flow({undoable("poll", Json::array(), 2, each), step("last", {"poll"}, 1)},
              {{"onFailure", "Compensate"}, {"parallelism", 3}});
}

Json machine() {
  const auto on = [](const std::string& state, const std::string& phase, const std::string& to) {
    return Json{{"when", "steps['" + state + "'].phase == '" + phase + "'"}, {"to", to}};
  };
  Json work = step("work", Json::array(), 0);
  work["transitions"] = {on("work", "Failed", "mend"), on("work", "Succeeded", "done")};
  Json mend = step("mend", Json::array(), 1);
  mend["transitions"] = Json::array({on("mend", "Succeeded", "work")});
  return flow({work, mend, step("done", Json::array(), 3)},
              {{"mode", "StateMachine"}, {"maxTransitions", 5}});
}

Json machine_of_items() {
  const auto on = [](const std::string& phase, const std::string& to) {
    return Json{{"when", "steps['each'].phase == '" + phase + "'"}, {"to", to}};
  };
  Json each = step("each", Json::array(), 1, {{"forEach", {{"items", {"x", "y"}}}}});
  each["transitions"] = {on("Failed", "each"), on("Succeeded", "done")};
  return flow({each, step("done", Json::array(), 3)}, {{"mode", "StateMachine"}, {"maxTransitions", 3}});
}

Json nested() {
  return flow({bare("inner", Json::array(), {{"workflow", {{"name", flow_name(1)}}}}),
               undoable("book", Json::array(), 3), step("last", {"inner", "book"}, 1)},
              {{"onFailure", "Compensate"}});
}

Json gated() {
  return flow({step("build", Json::array(), 3), bare(kGate, {"build"}, {{"approval", Json::object()}}),
               step("deploy", {kGate}, 3)});
}

// Runs every minute or few, and tells each run its time.
Json trigger(const std::string& name, const std::string& cron, const std::string& policy,
             const Json& more = Json::object()) {
  Json schedule = {
      {"cron", cron}, {"concurrencyPolicy", policy}, {"parameters", {{"at", "$(schedule.time)"}}}};
  schedule.merge_patch(more);
  return {{"type", "Schedule"}, {"name", name}, {"schedule", schedule}};
}

Json scheduled(Json triggers, Json steps, const Json& more = Json::object()) {
  Json spec =
      flow(std::move(steps), {{"parameters", {{{"name", "at"}, {"type", "String"}, {"default", ""}}}}});
  spec["triggers"] = std::move(triggers);
  spec.merge_patch(more);
  return spec;
}

// Longer than a minute, so that the next time finds it at work.
Json slow() {
  return {bare("pause", Json::array(), {{"wait", {{"duration", "70s"}}}}), step("work", {"pause"}, 3)};
}

}  // namespace

std::string flow_name(int number) {
  return "flow" + std::to_string(number);
}

std::vector<Json> flows() {
  return {flow(Json::array({step("one", Json::array(), 3)})),
          diamond(),
          flow({step("x", Json::array(), 0), step("y", Json::array(), 2), step("z", {"x"}, 3)},
               {{"onFailure", "Continue"}}),
          saga(),
          fan_out(),
          conditions(),
          machine(),
          nested(),
          gated(),
          polls(),
          machine_of_items()};
}

std::string schedule_name(int number) {
  return "clock" + std::to_string(number);
}

std::vector<Json> schedules() {
  const Json quick = Json::array({step("one", Json::array(), 3)});
  const Json few = {{"succeeded", 1}, {"failed", 1}};
  return {scheduled(Json::array({trigger("minute", "* * * * *", "Allow")}), quick),
          scheduled(Json::array({trigger("patient", "* * * * *", "Forbid")}), slow()),
          scheduled(Json::array({trigger("hasty", "* * * * *", "Replace")}), slow(),
                    {{"finally", {step("clean", Json::array(), 3)}}}),
          scheduled(Json::array({trigger("far", "*/4 * * * *", "Allow",
                                         {{"timeZone", "Asia/Kathmandu"}, {"startingDeadline", "20s"}})}),
                    quick, {{"historyLimits", few}}),
          scheduled(Json::array(
                        {trigger("even", "*/2 * * * *", "Allow"), trigger("third", "*/3 * * * *", "Forbid")}),
                    quick, {{"historyLimits", few}})};
}

}  // namespace convoke::simulation
