// Parses what an API server answers. It takes objects that are nested far deeper than anything that is walked
// recursively should be, and one of them must not make a whole list or watch unreadable.
//
// Thread safety: pure. Errors: as parse_json(), but for the nesting.
#pragma once

#include <string_view>

#include "controller/base/result.h"
#include "controller/kube/json.h"

namespace convoke::kube {

inline constexpr int kMaxJsonDepth = 200;

// Lists and objects below the 200th level are replaced by null. Who keeps a free-form value asks
// is_deeper_than() before, with so much less that nothing of it can have been replaced.
Result<Json> parse_pruned_json(std::string_view text);

// Whether lists and objects lie in each other more than `levels` times.
bool is_deeper_than(const Json& value, int levels);

}  // namespace convoke::kube
