#include "programs/operator/namespaces.h"

#include <set>
#include <sstream>

namespace convoke::programs {

namespace {

constexpr std::size_t kMaxNamespaceBytes = 63;

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  if (text.ends_with(',')) parts.emplace_back();
  return parts;
}

bool may_be_namespace(const std::string& name) {
  constexpr char kAllowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
  return !name.empty() && name.size() <= kMaxNamespaceBytes &&
         name.find_first_not_of(kAllowed) == std::string::npos && name.front() != '-' && name.back() != '-';
}

}  // namespace

Status check_namespaces(const std::string& text) {
  for (const auto& name : split_at_commas(text)) {
    if (may_be_namespace(name)) continue;
    return Error{ErrorCode::Invalid,
                 '"' + name + "\" cannot be the name of a namespace; several are written a,b"};
  }
  return {};
}

std::vector<std::string> parse_namespaces(const std::string& text) {
  const auto names = split_at_commas(text);
  if (names.empty()) return {""};
  const std::set<std::string> once(names.begin(), names.end());
  return {once.begin(), once.end()};
}

}  // namespace convoke::programs
