#include "reconcilers/api/common.h"

#include <algorithm>

#include "reconcilers/api/json_writer.h"

namespace convoke::api {
namespace {

// In UTF-8 every byte of a character but the first looks like this.
bool continues_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

bool requirement_holds(const LabelSelectorRequirement& requirement,
                       const std::map<std::string, std::string>& labels) {
  const auto label = labels.find(requirement.key);
  const bool exists = label != labels.end();
  const bool listed = exists && std::find(requirement.values.begin(), requirement.values.end(),
                                          label->second) != requirement.values.end();
  if (requirement.op == "In") {
    return listed;
  }
  if (requirement.op == "NotIn") {
    return !listed;
  }
  if (requirement.op == "Exists") {
    return exists;
  }
  // Anything but DoesNotExist is malformed: it selects nothing rather than everything.
  return requirement.op == "DoesNotExist" && !exists;
}

std::string describe_requirement(const LabelSelectorRequirement& requirement) {
  if (requirement.op == "Exists") {
    return requirement.key;
  }
  if (requirement.op == "DoesNotExist") {
    return "!" + requirement.key;
  }
  std::string text = requirement.key + (requirement.op == "NotIn" ? " notin (" : " in (");
  for (std::size_t i = 0; i < requirement.values.size(); ++i) {
    text += (i == 0 ? "" : ", ") + requirement.values[i];
  }
  return text + ")";
}

Condition make_condition(const char* type, bool status, const std::string& reason, const std::string& message,
                         std::int64_t generation) {
  return {type, status, reason, message, generation, ""};
}

}  // namespace

std::string cut_text(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) {
    return std::string(text);
  }
  constexpr std::string_view kEllipsis = "...";
  std::size_t end = max_bytes > kEllipsis.size() ? max_bytes - kEllipsis.size() : 0;
  while (end > 0 && continues_character(text[end])) {
    --end;
  }
  return std::string(text.substr(0, end)).append(kEllipsis.substr(0, max_bytes));
}

void set_condition(std::vector<Condition>& conditions, Condition condition, const std::string& now) {
  condition.message = cut_text(condition.message, kMaxConditionMessageBytes);
  const auto same_type = [&condition](const Condition& other) { return other.type == condition.type; };
  const auto old = std::find_if(conditions.begin(), conditions.end(), same_type);
  if (old == conditions.end()) {
    condition.last_transition_time = now;
    conditions.push_back(std::move(condition));
    return;
  }
  const bool flipped = old->status != condition.status || old->last_transition_time.empty();
  condition.last_transition_time = flipped ? now : old->last_transition_time;
  *old = std::move(condition);
}

const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type) {
  const auto found = std::find_if(conditions.begin(), conditions.end(),
                                  [type](const Condition& condition) { return condition.type == type; });
  return found == conditions.end() ? nullptr : &*found;
}

Json conditions_to_json(const std::vector<Condition>& conditions) {
  Json list = Json::array();
  for (const Condition& condition : conditions) {
    // The API wants a reason in every condition.
    Json item = {{"type", condition.type},
                 {"status", condition.status ? "True" : "False"},
                 {"reason", condition.reason.empty() ? condition.type : condition.reason}};
    put_text(item, "message", condition.message);
    put_number(item, "observedGeneration", condition.observed_generation);
    put_text(item, "lastTransitionTime", condition.last_transition_time);
    list.push_back(std::move(item));
  }
  return list;
}

void set_health(std::vector<Condition>& conditions, Health health, const std::string& reason,
                const std::string& message, std::int64_t generation, const std::string& now) {
  const bool reconciling = health == Health::InProgress;
  const bool stalled = health == Health::Failed;
  set_condition(conditions,
                make_condition(condition::kReady, health == Health::Current, reason, message, generation),
                now);
  set_condition(
      conditions,
      make_condition(condition::kReconciling, reconciling, reason, reconciling ? message : "", generation),
      now);
  set_condition(conditions,
                make_condition(condition::kStalled, stalled, reason, stalled ? message : "", generation),
                now);
}

bool RetryPolicy::covers(RetryOn cause) const {
  return std::find(on.begin(), on.end(), cause) != on.end();
}

Duration RetryPolicy::delay(int n) const {
  if (backoff.type == BackoffType::Fixed) {
    return backoff.base;
  }
  Duration delay = std::min(backoff.base, backoff.max);
  // Doubling ends at max, so nothing overflows however large n is.
  for (int i = 1; i < n && delay > Duration::zero() && delay < backoff.max; ++i) {
    delay = delay > backoff.max / 2 ? backoff.max : delay * 2;
  }
  return delay;
}

bool LabelSelector::matches(const std::map<std::string, std::string>& labels) const {
  const bool has_labels =
      std::all_of(match_labels.begin(), match_labels.end(), [&labels](const auto& wanted) {
        const auto found = labels.find(wanted.first);
        return found != labels.end() && found->second == wanted.second;
      });
  return has_labels &&
         std::all_of(match_expressions.begin(), match_expressions.end(),
                     [&labels](const auto& requirement) { return requirement_holds(requirement, labels); });
}

std::string LabelSelector::describe() const {
  std::string text;
  for (const auto& [key, value] : match_labels) {
    text += (text.empty() ? "" : ", ") + key + "=" + value;
  }
  for (const LabelSelectorRequirement& requirement : match_expressions) {
    text += (text.empty() ? "" : ", ") + describe_requirement(requirement);
  }
  return text;
}

}  // namespace convoke::api
