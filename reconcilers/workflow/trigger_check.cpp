#include "reconcilers/workflow/trigger_check.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "reconcilers/expression/placeholder.h"
#include "reconcilers/expression/template.h"
#include "reconcilers/schedule/schedule.h"
#include "reconcilers/workflow/parameters.h"

namespace convoke::workflow {
namespace {

constexpr std::size_t kMaxNameLength = 63;

Error invalid_trigger(const std::string& field, const std::string& what) {
  return Error{ErrorCode::Invalid, field + ": " + what, "InvalidDefinition"};
}

bool is_trigger_name(const std::string& name) {
  const auto is_inner = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return name.size() <= kMaxNameLength && name.front() != '-' && name.back() != '-' &&
         std::all_of(name.begin(), name.end(), is_inner);
}

const api::RawJson& parameters_of(const api::Trigger& trigger) {
  static const api::RawJson kNone;
  if (trigger.schedule) {
    return trigger.schedule->parameters;
  }
  return trigger.event ? trigger.event->parameters : kNone;
}

// What placeholders and filters may name besides `workflow`.
const char* own_root(const api::Trigger& trigger) {
  return trigger.type == api::TriggerType::Event ? "event" : "schedule";
}

bool has_placeholder(const Json& value) {
  if (value.is_string()) {
    return expression::has_placeholder(value.get_ref<const std::string&>());
  }
  return value.is_structured() &&
         std::any_of(value.begin(), value.end(), [](const Json& part) { return has_placeholder(part); });
}

// Checks one trigger; the first error ends it.
class TriggerChecker {
 public:
  TriggerChecker(const api::WorkflowSpec& spec, const api::Trigger& trigger, std::string field)
      : spec_(spec), trigger_(trigger), field_(std::move(field)) {}

  Status check() const {
    using Part = Status (TriggerChecker::*)() const;
    for (const Part part :
         {&TriggerChecker::check_blocks, &TriggerChecker::check_schedule, &TriggerChecker::check_event,
          &TriggerChecker::check_given, &TriggerChecker::check_needed}) {
      if (auto status = (this->*part)(); !status) {
        return status;
      }
    }
    return {};
  }

 private:
  std::string block() const {
    return field_ + (trigger_.type == api::TriggerType::Event ? ".event" : ".schedule");
  }

  Status check_blocks() const {
    if (!trigger_.name.empty() && !is_trigger_name(trigger_.name)) {
      return invalid_trigger(
          field_ + ".name",
          "a trigger's name has 1 to 63 lower-case letters, digits and \"-\", and neither begins "
          "nor ends with \"-\"");
    }
    if (trigger_.schedule.has_value() != (trigger_.type == api::TriggerType::Schedule)) {
      return invalid_trigger(field_ + ".schedule",
                             "a trigger of the type Schedule needs it, and no other has it");
    }
    if (trigger_.event.has_value() != (trigger_.type == api::TriggerType::Event)) {
      return invalid_trigger(field_ + ".event", "a trigger of the type Event needs it, and no other has it");
    }
    return {};
  }

  Status check_schedule() const {
    if (!trigger_.schedule) {
      return {};
    }
    const auto parsed = schedule::Schedule::parse(trigger_.schedule->cron, trigger_.schedule->time_zone);
    return parsed ? Status()
                  : Error{ErrorCode::Invalid, block() + "." + parsed.error().message, "InvalidDefinition"};
  }

  Status check_event() const {
    if (!trigger_.event) {
      return {};
    }
    if (trigger_.event->type.empty()) {
      return invalid_trigger(block() + ".type", "the type of the events is needed");
    }
    if (trigger_.event->filter.empty()) {
      return {};
    }
    const auto program = cel::Program::compile(trigger_.event->filter);
    if (!program) {
      return invalid_trigger(block() + ".filter", program.error().message);
    }
    for (const auto& reference : (*program)->references()) {
      if (auto status = check_root(reference.path[0], block() + ".filter"); !status) {
        return status;
      }
    }
    return {};
  }

  Status check_root(const std::string& root, const std::string& field) const {
    if (root == "workflow" || root == own_root(trigger_)) {
      return {};
    }
    return invalid_trigger(field, "there is no name \"" + api::cut_text(root, 63) + "\" here; there are " +
                                      own_root(trigger_) + " and workflow");
  }

  Status check_given() const {
    const auto& given = parameters_of(trigger_);
    const auto values = given.empty() ? Result<Json>(Json::object()) : parse_json(given);
    if (!values || !values->is_object()) {
      return invalid_trigger(block() + ".parameters", "expected an object");
    }
    for (const auto& [name, value] : values->items()) {
      if (auto status = check_parameter(name, value); !status) {
        return status;
      }
    }
    return {};
  }

  Status check_parameter(const std::string& name, const Json& value) const {
    const std::string field = block() + ".parameters." + api::cut_text(name, 63);
    const auto parameter = std::find_if(spec_.parameters.begin(), spec_.parameters.end(),
                                        [&](const auto& candidate) { return candidate.name == name; });
    if (parameter == spec_.parameters.end()) {
      return invalid_trigger(field, "the workflow has no such parameter");
    }
    const auto references = expression::references(value, field);
    if (!references) {
      return references.error();
    }
    for (const auto& reference : *references) {
      if (auto status = check_root(reference.path[0], field); !status) {
        return status;
      }
    }
    // What placeholders will give is known when the trigger fires.
    const std::string problem = has_placeholder(value) ? "" : check_value(*parameter, value);
    return problem.empty() ? Status() : invalid_trigger(field, problem);
  }

  // Create is the default of every Workflow: one that needs parameters is started by hand then.
  Status check_needed() const {
    if (trigger_.type == api::TriggerType::Create) {
      return {};
    }
    const auto& given = parameters_of(trigger_);
    const Json values = given.empty() ? Json::object() : *parse_json(given);
    for (const auto& parameter : spec_.parameters) {
      if (!needs_no_value(parameter) && !values.contains(parameter.name)) {
        const bool can_give = trigger_.schedule || trigger_.event;
        return invalid_trigger(can_give ? block() + ".parameters" : field_,
                               "parameter \"" + api::cut_text(parameter.name, 63) +
                                   "\" is required, has no default, and the trigger does not give it");
      }
    }
    return {};
  }

  const api::WorkflowSpec& spec_;
  const api::Trigger& trigger_;
  const std::string field_;
};

}  // namespace

std::string trigger_field(const api::WorkflowSpec& spec, std::size_t position, const std::string& path) {
  const auto& name = spec.triggers[position].name;
  return path + ".triggers[" + (name.empty() ? std::to_string(position) : api::cut_text(name, 63)) + "]";
}

Status check_triggers(const api::WorkflowSpec& spec, const std::string& path) {
  std::set<std::string> keys;
  for (std::size_t i = 0; i < spec.triggers.size(); ++i) {
    const auto& trigger = spec.triggers[i];
    const std::string field = trigger_field(spec, i, path);
    if (auto status = TriggerChecker(spec, trigger, field).check(); !status) {
      return status;
    }
    if (!keys.insert(trigger.key()).second) {
      return invalid_trigger(field + ".name",
                             "there are two triggers of the name \"" + trigger.key() +
                                 "\", which is also that of one without a name; give each its own");
    }
  }
  return {};
}

Result<Json> fill_parameters(const api::WorkflowSpec& spec, const api::Trigger& trigger, Json roots) {
  const auto& given = parameters_of(trigger);
  if (given.empty()) {
    return Json::object();
  }
  auto templates = parse_json(given);
  if (!templates) {
    return templates;
  }
  const expression::JsonScope scope(std::move(roots));
  auto values = expression::expand(*templates, scope, "parameters", kMaxParametersBytes);
  if (!values) {
    return values;
  }
  if (const auto resolved = resolve_parameters(spec.parameters, dump_json(*values)); !resolved) {
    return resolved.error();
  }
  return values;
}

}  // namespace convoke::workflow
