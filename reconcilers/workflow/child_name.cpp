#include "reconcilers/workflow/child_name.h"

#include "reconcilers/workflow/hash.h"

namespace convoke::workflow {
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

std::string short_hash(std::string_view text, std::size_t length) {
  return sha256_hex(text).substr(0, length);
}

}  // namespace

std::string fit_name(std::string_view name, std::string_view identity) {
  if (name.size() <= kMaxNameLength) {
    return std::string(name);
  }
  return cut(name, kMaxNameLength - kHashLength - 1) + "-" + short_hash(identity, kHashLength);
}

std::string name_with_suffix(std::string_view prefix, std::string_view suffix) {
  const std::size_t room = kMaxNameLength - suffix.size() - 1;
  std::string head(prefix);
  if (head.size() > room) {
    head = cut(prefix, room - kHashLength - 1) + "-" + short_hash(prefix, kHashLength);
  }
  return head + "-" + std::string(suffix);
}

std::string child_name(const std::string& run, const std::string& step) {
  return fit_name(run + "-" + step, run + "/" + step);
}

std::string alternative_child_name(const std::string& run, const std::string& run_uid,
                                   const std::string& step) {
  return name_with_suffix(run + "-" + step, short_hash(run_uid + "/" + step, 10));
}

std::string created_run_name(const std::string& workflow, const std::string& workflow_uid) {
  return name_with_suffix(workflow, short_hash(workflow_uid, 5));
}

std::string alternative_created_run_name(const std::string& workflow, const std::string& workflow_uid) {
  return name_with_suffix(workflow, short_hash(workflow_uid, 16));
}

}  // namespace convoke::workflow
