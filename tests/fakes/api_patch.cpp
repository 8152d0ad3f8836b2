#include "tests/fakes/api_patch.h"

#include <utility>

namespace convoke::fakes {
namespace {

constexpr std::size_t kMaxOperations = 10000;

// The library takes it for granted that what an operation puts a value into is an object or a list.
bool has_container(const Json& object, const Json& operation) {
  const Json::json_pointer path(operation.at("path").get<std::string>());
  return path.empty() || object.at(path.parent_pointer()).is_structured();
}

Answer<Json> apply_json_patch(const Json& patch, const Json& object) {
  if (!patch.is_array()) {
    return tl::unexpected(bad_request("error decoding patch: a JSON Patch is a list of operations"));
  }
  if (patch.size() > kMaxOperations) {
    return tl::unexpected(
        ApiFailure{413, "RequestEntityTooLarge",
                   "Request entity too large: The allowed maximum operations in a JSON patch is " +
                       std::to_string(kMaxOperations) + ", got " + std::to_string(patch.size())});
  }
  try {
    Json patched = object;
    for (const Json& operation : patch) {
      if (!has_container(patched, operation)) {
        return tl::unexpected(unprocessable_patch());
      }
      patched.patch_inplace(Json::array({operation}));
    }
    return patched;
  } catch (const Json::exception&) {
    return tl::unexpected(unprocessable_patch());
  }
}

void drop_nulls(Json& value) {
  for (auto it = value.begin(); it != value.end();) {
    if (value.is_object() && it->is_null()) {
      it = value.erase(it);
    } else {
      if (it->is_structured()) {
        drop_nulls(*it);
      }
      ++it;
    }
  }
}

}  // namespace

Answer<Json> apply_patch(const std::string& content_type, const std::string& body, const Json& object) {
  auto patch = parse_json(body);
  if (!patch) {
    return tl::unexpected(bad_request("error decoding patch: " + patch.error().message));
  }
  if (content_type == kJsonPatch) {
    return apply_json_patch(*patch, object);
  }
  if (content_type != kMergePatch && content_type != kApplyPatch) {
    return tl::unexpected(
        unsupported_media_type(std::string(kJsonPatch) + ", " + kMergePatch + ", " + kApplyPatch));
  }
  if (!patch->is_object()) {
    return tl::unexpected(bad_request("error decoding patch: a merge patch is an object"));
  }
  if (content_type == kApplyPatch) {
    drop_nulls(*patch);
  }
  Json patched = object;
  patched.merge_patch(*patch);
  return patched;
}

}  // namespace convoke::fakes
