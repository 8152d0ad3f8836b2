// JSON of the parts that several kinds share. Reading is tolerant (see field_reader.h); writing leaves
// defaults out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reconcilers/api/field_reader.h"
#include "reconcilers/api/task.h"

namespace convoke::api {

// Reads status.observedGeneration, and returns whether a status was ever written. The CRDs have the default
// -1, with which kstatus waits until an operator has seen the object; it counts as an absent one, and alone
// it is no status.
bool read_observed_generation(const FieldReader& status, std::int64_t& target);

std::vector<Condition> read_conditions(const FieldReader& reader);
RetryPolicy read_retry(const FieldReader& reader);
LabelSelector read_label_selector(const FieldReader& reader);
std::optional<Cancel> read_cancel(const FieldReader& parent);

Json retry_to_json(const RetryPolicy& retry);
Json label_selector_to_json(const LabelSelector& selector);

}  // namespace convoke::api
