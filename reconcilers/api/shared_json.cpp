#include "reconcilers/api/shared_json.h"

#include <utility>

#include "controller/base/time_format.h"
#include "reconcilers/api/json_writer.h"

namespace convoke::api {
namespace {

constexpr EnumNames<BackoffType, 2> kBackoffTypes{
    {{BackoffType::Exponential, "Exponential"}, {BackoffType::Fixed, "Fixed"}}};

constexpr EnumNames<RetryOn, 3> kRetryCauses{
    {{RetryOn::Failed, "Failed"}, {RetryOn::Timeout, "Timeout"}, {RetryOn::AgentLost, "AgentLost"}}};

enum class SelectorOperator { In, NotIn, Exists, DoesNotExist };
constexpr EnumNames<SelectorOperator, 4> kSelectorOperators{
    {{SelectorOperator::In, "In"},
     {SelectorOperator::NotIn, "NotIn"},
     {SelectorOperator::Exists, "Exists"},
     {SelectorOperator::DoesNotExist, "DoesNotExist"}}};

constexpr IntRange kRetryLimit{0, 100};

Condition read_condition(const FieldReader& reader) {
  Condition condition;
  std::string status;
  reader.read("type", condition.type);
  reader.read("status", status);
  condition.status = status == "True";
  reader.read("reason", condition.reason);
  reader.read("message", condition.message);
  reader.read("observedGeneration", condition.observed_generation);
  reader.read("lastTransitionTime", condition.last_transition_time);
  return condition;
}

Json backoff_to_json(const Backoff& backoff) {
  const Backoff defaults;
  Json json = Json::object();
  if (backoff.type != defaults.type) {
    json["type"] = name_of(kBackoffTypes, backoff.type);
  }
  if (backoff.base != defaults.base) {
    json["base"] = format_duration(backoff.base);
  }
  if (backoff.max != defaults.max) {
    json["max"] = format_duration(backoff.max);
  }
  return json;
}

Json requirement_to_json(const LabelSelectorRequirement& requirement) {
  Json json = {{"key", requirement.key}, {"operator", requirement.op}};
  put_filled(json, "values", requirement.values);
  return json;
}

}  // namespace

bool read_observed_generation(const FieldReader& status, std::int64_t& target) {
  std::int64_t generation = 0;
  status.read("observedGeneration", generation);
  if (generation < 0) {
    return false;
  }
  target = generation;
  return status.has_fields();
}

std::vector<Condition> read_conditions(const FieldReader& reader) {
  std::vector<Condition> conditions;
  reader.each_object("conditions",
                     [&](const FieldReader& item) { conditions.push_back(read_condition(item)); });
  return conditions;
}

RetryPolicy read_retry(const FieldReader& reader) {
  RetryPolicy retry;
  reader.read("limit", retry.limit, kRetryLimit);
  reader.read("on", retry.on, kRetryCauses);
  const FieldReader backoff = reader.object("backoff");
  backoff.read("type", retry.backoff.type, kBackoffTypes);
  backoff.read("base", retry.backoff.base);
  backoff.read("max", retry.backoff.max);
  return retry;
}

LabelSelector read_label_selector(const FieldReader& reader) {
  LabelSelector selector;
  reader.read("matchLabels", selector.match_labels);
  reader.each_object("matchExpressions", [&](const FieldReader& item) {
    LabelSelectorRequirement requirement;
    std::optional<SelectorOperator> op;
    item.read("key", requirement.key);
    item.read("operator", op, kSelectorOperators);
    requirement.op = op ? name_of(kSelectorOperators, *op) : "";
    item.read("values", requirement.values);
    selector.match_expressions.push_back(std::move(requirement));
  });
  return selector;
}

std::optional<Cancel> read_cancel(const FieldReader& parent) {
  const std::optional<FieldReader> reader = parent.optional_object("cancel");
  if (!reader) {
    return std::nullopt;
  }
  Cancel cancel;
  reader->read("reason", cancel.reason);
  return cancel;
}

Json retry_to_json(const RetryPolicy& retry) {
  const RetryPolicy defaults;
  Json json = Json::object();
  if (retry.limit != defaults.limit) {
    json["limit"] = retry.limit;
  }
  if (retry.on != defaults.on) {
    json["on"] = Json::array();
    for (const RetryOn cause : retry.on) {
      json["on"].push_back(name_of(kRetryCauses, cause));
    }
  }
  put_filled(json, "backoff", backoff_to_json(retry.backoff));
  return json;
}

Json label_selector_to_json(const LabelSelector& selector) {
  Json json = Json::object();
  put_filled(json, "matchLabels", selector.match_labels);
  Json expressions = Json::array();
  for (const LabelSelectorRequirement& requirement : selector.match_expressions) {
    expressions.push_back(requirement_to_json(requirement));
  }
  put_filled(json, "matchExpressions", std::move(expressions));
  return json;
}

}  // namespace convoke::api
