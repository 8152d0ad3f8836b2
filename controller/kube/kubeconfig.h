// Reading and merging kubeconfig files into a ClusterConfig; the rules that are ours rather than Kubernetes'
// are in config.cpp.
//
// Pure reading, safe from every thread. Errors: Invalid, naming the file, the entry and the field.
#pragma once

#include <string>
#include <vector>

#include "controller/base/result.h"
#include "controller/kube/config.h"

namespace convoke::kube {

// An empty `context` means current-context. Relative paths are taken from `directory`.
Result<ClusterConfig> read_kubeconfig_text(const std::string& text, const std::string& directory,
                                           const std::string& context);
// The files are merged: the first one that sets a value, or has an entry of a name, wins. All must be
// readable.
Result<ClusterConfig> read_kubeconfig_files(const std::vector<std::string>& paths,
                                            const std::string& context);

}  // namespace convoke::kube
