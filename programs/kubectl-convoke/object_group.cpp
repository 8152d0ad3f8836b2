#include "programs/kubectl-convoke/object_group.h"

#include "controller/base/similar_word.h"
#include "programs/kubectl-convoke/json_view.h"
#include "programs/kubectl-convoke/schema.h"
#include "reconcilers/api/common.h"

namespace convoke::plugin {
namespace {

bool is_nearly_our_group(const std::string& group) {
  return group == "convoke" || !most_similar(group, {api::kGroup}).empty();
}

}  // namespace

std::string our_api_version() {
  return std::string(api::kGroup) + "/" + api::kVersion;
}

bool is_ours(const Json& object) {
  return text_at(object, "/apiVersion").starts_with(std::string(api::kGroup) + "/");
}

bool is_meant_to_be_ours(const Json& object) {
  const auto version = text_at(object, "/apiVersion");
  const auto slash = version.find('/');
  if (is_ours(object)) return false;
  if (slash != std::string::npos) return is_nearly_our_group(version.substr(0, slash));
  return version == api::kVersion || is_nearly_our_group(version) ||
         Schemas::built_in().knows(text_at(object, "/kind"));
}

}  // namespace convoke::plugin
