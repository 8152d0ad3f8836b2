// The files that the arguments of `lint` stand for: themselves, and of a folder all manifests in it.
#pragma once

#include <string>
#include <vector>

namespace convoke::plugin {

struct ManifestFiles {
  std::vector<std::string> files;       // sorted
  std::vector<std::string> unreadable;  // folders
};

// *.yaml, *.yml and *.json of a folder and the folders in it; hidden ones (".git") are left out, and links to
// folders are not followed. What is no folder stands for itself.
ManifestFiles manifest_files(const std::string& path);

}  // namespace convoke::plugin
