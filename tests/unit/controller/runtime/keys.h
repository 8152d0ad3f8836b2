// The keys of objects in the namespace "default".
#pragma once

#include <string>

#include "controller/kube/object.h"

namespace convoke::runtime {

inline kube::ObjectKey key(const std::string& name) {
  return {"default", name};
}

}  // namespace convoke::runtime
