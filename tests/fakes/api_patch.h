// JSON Patch (RFC 6902), merge patch (RFC 7386) and a simplified server-side apply. Pure.
#pragma once

#include <string>

#include "controller/kube/json.h"
#include "tests/fakes/api_failure.h"

namespace convoke::fakes {

inline constexpr const char* kJsonPatch = "application/json-patch+json";
inline constexpr const char* kMergePatch = "application/merge-patch+json";
inline constexpr const char* kApplyPatch = "application/apply-patch+yaml";

// The object after the patch. An apply merges like a merge patch, except that a null sets nothing; lists are
// replaced whole and nothing is removed, since there is no field ownership here.
Answer<Json> apply_patch(const std::string& content_type, const std::string& body, const Json& object);

}  // namespace convoke::fakes
