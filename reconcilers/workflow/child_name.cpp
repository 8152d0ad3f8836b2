#include "reconcilers/workflow/child_name.h"

#include "reconcilers/api/hash.h"

namespace convoke::workflow {
namespace {

std::string short_hash(std::string_view text, std::size_t length) {
  return api::sha256_hex(text).substr(0, length);
}

}  // namespace

std::string alternative_child_name(const std::string& run, const std::string& run_uid,
                                   const std::string& part, const std::string& identity) {
  return name_with_suffix(run + "-" + part, short_hash(run_uid + "/" + identity, 10));
}

std::string created_run_name(const std::string& workflow, const std::string& workflow_uid) {
  return name_with_suffix(workflow, short_hash(workflow_uid, 5));
}

std::string alternative_created_run_name(const std::string& workflow, const std::string& workflow_uid) {
  return name_with_suffix(workflow, short_hash(workflow_uid, 16));
}

}  // namespace convoke::workflow
