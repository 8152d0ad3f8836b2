// JSON of the parts that several kinds share. Reading is tolerant (see field_reader.h); writing leaves
// defaults out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconcilers/api/field_reader.h"
#include "reconcilers/api/task.h"

namespace convoke::api {

std::vector<Condition> read_conditions(const FieldReader& reader);
RetryPolicy read_retry(const FieldReader& reader);
LabelSelector read_label_selector(const FieldReader& reader);
std::optional<Cancel> read_cancel(const FieldReader& parent);

Json retry_to_json(const RetryPolicy& retry);
Json label_selector_to_json(const LabelSelector& selector);

}  // namespace convoke::api
