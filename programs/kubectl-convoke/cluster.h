// The objects of one namespace (or of all), with errors that say what a person can do about them: which right
// is missing, which name was probably meant.
//
// Thread safety: that of kube::Client. Ownership: the client outlives this.
// Errors: those of kube::Client, with messages for people.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/kube/client.h"

namespace convoke::plugin {

// An object and its kind.
struct Found {
  const kube::ResourceType* type = nullptr;
  Json object;
};

class Cluster {
 public:
  // An empty namespace: all of them, for lists.
  Cluster(kube::Client& client, std::string its_namespace)
      : client_(client), namespace_(std::move(its_namespace)) {}

  const std::string& namespace_name() const { return namespace_; }
  kube::Client& client() const { return client_; }

  Result<Json> get(const kube::ResourceType& type, const std::string& name) const;
  // Nothing if there is none of that name.
  Result<std::optional<Json>> find(const kube::ResourceType& type, const std::string& name) const;
  // All pages.
  Result<std::vector<Json>> list(const kube::ResourceType& type, const kube::ListOptions& options = {}) const;
  Result<std::vector<Json>> list_labelled(const kube::ResourceType& type, const std::string& label,
                                          const std::string& value) const;

  // `text` is "run/NAME", "cwr/NAME" or a NAME, which is looked for in the order of `kinds`.
  Result<Found> find_any(const std::vector<const kube::ResourceType*>& kinds, const std::string& text) const;

  Result<Json> create(const kube::ResourceType& type, const Json& object) const;
  // A JSON Patch that holds for this very object only (its uid), not for a successor of the same name.
  Result<Json> change(const kube::ResourceType& type, const Json& object, Json operations) const;

  // The name that the API server knows us by.
  Result<std::string> user_name() const;

  // For one object with that name: the Events about it, the oldest first.
  Result<std::vector<Json>> events_of(const Json& object) const;

 private:
  Error explained(const Error& error, const char* verb, const kube::ResourceType& type) const;
  Error with_similar_names(Error error, const std::vector<const kube::ResourceType*>& kinds,
                           const std::string& name) const;

  kube::Client& client_;
  const std::string namespace_;
};

// "run", "task" and so on; for messages and arguments.
const char* word_for(const kube::ResourceType& type);

}  // namespace convoke::plugin
