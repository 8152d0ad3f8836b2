// Manifests by what they are called and where they are, so that each is compared with those that concern it,
// and not with all.
//
// Not thread-safe: a definition is read when it is first asked for. Ownership: the manifests outlive this.
// Errors: none; what is not there is null.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "programs/kubectl-convoke/finding.h"
#include "reconcilers/workflow/definition.h"

namespace convoke::plugin {

class ManifestIndex {
 public:
  explicit ManifestIndex(const std::vector<Manifest>& manifests);

  // The first object of the same kind, name and namespace, if it is another: in the same file, and in any.
  const Manifest* namesake_in_file(const Manifest& manifest) const;
  const Manifest* namesake(const Manifest& manifest) const;
  // The Workflow of that name for a run of that manifest. That of the same file goes before those of others,
  // which are in doubt where there are several. Null also if it is refused.
  workflow::DefinitionPtr workflow_for(const Manifest& run, const std::string& name);
  // What the Agents of a namespace can do together; null: there are no Agents.
  const std::set<std::string>* capabilities_in(const std::string& its_namespace) const;

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  // kind, namespace, name
  struct First {
    const Manifest* manifest = nullptr;
    bool is_in_others = false;  // files
  };
  static Key key_of(const Manifest& manifest);
  void add(const Manifest& manifest);

  std::map<Key, First> first_;
  std::map<std::pair<std::string, Key>, const Manifest*> first_of_file_;
  std::map<std::string, std::set<std::string>> capabilities_;  // by namespace
  std::map<const Manifest*, workflow::DefinitionPtr> definitions_;
};

}  // namespace convoke::plugin
