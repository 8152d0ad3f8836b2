#include "programs/kubectl-convoke/manifest_index.h"

#include "programs/kubectl-convoke/json_view.h"
#include "programs/kubectl-convoke/object_group.h"

namespace convoke::plugin {
namespace {

std::string namespace_of(const Manifest& manifest) {
  return text_at(manifest.document.value, "/metadata/namespace");
}

}  // namespace

ManifestIndex::ManifestIndex(const std::vector<Manifest>& manifests) {
  for (const auto& manifest : manifests) {
    if (is_ours(manifest.document.value)) add(manifest);
  }
}

ManifestIndex::Key ManifestIndex::key_of(const Manifest& manifest) {
  const Json& value = manifest.document.value;
  return {text_at(value, "/kind"), namespace_of(manifest), name_of(value)};
}

void ManifestIndex::add(const Manifest& manifest) {
  const auto key = key_of(manifest);
  if (std::get<0>(key) == "Agent") {
    auto& together = capabilities_[namespace_of(manifest)];
    for (auto& one : texts_at(manifest.document.value, "/spec/capabilities")) together.insert(std::move(one));
  }
  if (std::get<2>(key).empty()) return;
  auto& first = first_.try_emplace(key, First{&manifest}).first->second;
  first.is_in_others = first.is_in_others || first.manifest->file != manifest.file;
  first_of_file_.try_emplace({manifest.file, key}, &manifest);
}

const Manifest* ManifestIndex::namesake_in_file(const Manifest& manifest) const {
  const auto found = first_of_file_.find({manifest.file, key_of(manifest)});
  return found == first_of_file_.end() || found->second == &manifest ? nullptr : found->second;
}

const Manifest* ManifestIndex::namesake(const Manifest& manifest) const {
  const auto found = first_.find(key_of(manifest));
  return found == first_.end() || found->second.manifest == &manifest ? nullptr : found->second.manifest;
}

workflow::DefinitionPtr ManifestIndex::workflow_for(const Manifest& run, const std::string& name) {
  const Key key{"Workflow", namespace_of(run), name};
  const Manifest* found = nullptr;
  if (const auto here = first_of_file_.find({run.file, key}); here != first_of_file_.end()) {
    found = here->second;
  } else if (const auto any = first_.find(key); any != first_.end() && !any->second.is_in_others) {
    found = any->second.manifest;
  }
  if (found == nullptr) return nullptr;
  const auto [place, is_new] = definitions_.try_emplace(found);
  if (is_new) {
    auto definition = workflow::parse_definition(dump_json(value_at(found->document.value, "/spec")), "spec");
    if (definition) place->second = std::move(*definition);
  }
  return place->second;
}

const std::set<std::string>* ManifestIndex::capabilities_in(const std::string& its_namespace) const {
  const auto found = capabilities_.find(its_namespace);
  return found == capabilities_.end() ? nullptr : &found->second;
}

}  // namespace convoke::plugin
