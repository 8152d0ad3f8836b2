#include "reconcilers/api/child_name.h"

#include "reconcilers/api/hash.h"

namespace convoke::api {
namespace {

constexpr std::size_t kHashLength = 8;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

// A name may not end in "-" or "." before the "-" of its hash.
std::string cut(std::string_view name, std::size_t length) {
  name = name.substr(0, length);
  while (!name.empty() && !is_alphanumeric(name.back())) {
    name.remove_suffix(1);
  }
  return std::string(name);
}

}  // namespace

std::string fit_name(std::string_view name, std::string_view identity) {
  if (name.size() <= kMaxNameLength) {
    return std::string(name);
  }
  return cut(name, kMaxNameLength - kHashLength - 1) + "-" + sha256_hex(identity).substr(0, kHashLength);
}

std::string name_with_suffix(std::string_view prefix, std::string_view suffix) {
  const std::size_t room = kMaxNameLength - suffix.size() - 1;
  std::string head(prefix);
  if (head.size() > room) {
    head = cut(prefix, room - kHashLength - 1) + "-" + sha256_hex(prefix).substr(0, kHashLength);
  }
  return head + "-" + std::string(suffix);
}

std::string child_name(const std::string& owner, const std::string& part) {
  return fit_name(owner + "-" + part, owner + "/" + part);
}

}  // namespace convoke::api
