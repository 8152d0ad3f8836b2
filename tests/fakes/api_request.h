// Taking a request's path and query apart. Pure functions.
#pragma once

#include <map>
#include <string>

#include "controller/kube/object.h"

namespace convoke::fakes {

// "/apis/convoke.dev/v1alpha1/namespaces/ns/tasks/a/status?watch=true" in pieces.
struct ApiPath {
  std::string path;  // without the query
  bool is_resource = false;
  std::string group;
  std::string version;
  std::string plural;
  std::string namespace_;
  std::string name;
  std::string subresource;
  std::map<std::string, std::string> query;  // decoded

  kube::ObjectKey key() const { return {namespace_, name}; }
  // Empty if the parameter is absent.
  const std::string& parameter(const std::string& name) const;
  bool flag(const std::string& name) const;
};

ApiPath parse_path(const std::string& path_and_query);

}  // namespace convoke::fakes
