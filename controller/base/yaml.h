// YAML texts that other people wrote, read by yaml-cpp.
//
// yaml-cpp's own LoadAll never ends, and takes all memory, where a document begins with what cannot begin
// one, such as a text that is a comma: it makes one empty document after the other without reading on. Here
// that is an error.
//
// Thread-safe, since nothing is kept.
#pragma once

#include <string>
#include <vector>

#include <yaml-cpp/yaml.h>

namespace convoke {

// All documents of the text. Throws YAML::Exception where it is no YAML.
std::vector<YAML::Node> load_yaml_documents(const std::string& text);

}  // namespace convoke
