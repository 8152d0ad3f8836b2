#include "reconcilers/api/audit_log.h"

#include "controller/kube/json_fields.h"

namespace convoke::api {
namespace {

// As programs/operator names its client.
constexpr char kOwnManager[] = "convoke-operator";

bool owns(const Json& entry, const std::string& field) {
  const Json::json_pointer spec("/fieldsV1/f:spec");
  if (!entry.is_object() || !entry.contains(spec)) {
    return false;
  }
  return field.empty() || entry.at(spec).contains("f:" + field);
}

}  // namespace

const char* to_string(AuditCause::Kind kind) {
  switch (kind) {
    case AuditCause::Kind::Agent:
      return "agent";
    case AuditCause::Kind::User:
      return "user";
    case AuditCause::Kind::Operator:
      break;
  }
  return "operator";
}

const char* to_string(AuditAction action) {
  switch (action) {
    case AuditAction::Created:
      return "Created";
    case AuditAction::Deleted:
      return "Deleted";
    case AuditAction::Status:
      break;
  }
  return "Status";
}

std::string manager_of(const Json& object, const std::string& field) {
  const Json::json_pointer fields("/metadata/managedFields");
  if (!object.is_object() || !object.contains(fields) || !object.at(fields).is_array()) {
    return {};
  }
  std::string manager;
  std::string latest;
  for (const auto& entry : object.at(fields)) {
    if (!owns(entry, field)) {
      continue;
    }
    // Times of one format, in UTC: the greater text is the later one.
    if (const auto time = kube::string_at(entry, "time"); manager.empty() || time >= latest) {
      manager = kube::string_at(entry, "manager");
      latest = time;
    }
  }
  return manager;
}

AuditCause caused_by_spec(const Json& object, const std::string& field) {
  const auto manager = manager_of(object, field);
  if (manager == kOwnManager) {
    return {};
  }
  return {AuditCause::Kind::User, manager};
}

}  // namespace convoke::api
