#include "programs/kubectl-convoke/manifest_files.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace convoke::plugin {
namespace {

namespace fs = std::filesystem;

bool is_manifest(const fs::path& path) {
  const auto extension = path.extension();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

bool is_hidden(const fs::path& path) {
  return path.filename().native().starts_with('.');
}

}  // namespace

ManifestFiles manifest_files(const std::string& path) {
  std::error_code error;
  if (path == "-" || !fs::is_directory(path, error)) return {{path}, {}};
  ManifestFiles found;
  std::vector<fs::path> folders = {path};
  while (!folders.empty()) {
    const fs::path folder = std::move(folders.back());
    folders.pop_back();
    fs::directory_iterator at(folder, error);
    for (; !error && at != fs::directory_iterator(); at.increment(error)) {
      std::error_code ignored;
      const bool is_folder = at->is_directory(ignored);
      if (is_hidden(at->path())) continue;
      if (is_folder && !at->is_symlink(ignored)) folders.push_back(at->path());
      if (!is_folder && is_manifest(at->path())) found.files.push_back(at->path().native());
    }
    if (error) found.unreadable.push_back(folder.native());
  }
  std::sort(found.files.begin(), found.files.end());
  return found;
}

}  // namespace convoke::plugin
