// The audit log: what the operator decided and carried out, and who caused it, for a record that outlives the
// objects. The reconcilers tell it of each write that succeeded, after the API server's answer and before
// anything else follows from it; the order is that of the answers, and for one object that of its writes.
// What the API server refused is not told. So a process that is killed between an answer and its record
// leaves out what was on its way in each worker, one line at most; a write whose answer was lost is left out
// too. Both show, because the object's next record begins with a phase that no record ended with.
//
// Never told: parameters, outputs and messages, which may hold secrets.
//
// Thread safety: record() from every thread. Errors: none come back; record() returns when the entry is kept.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "controller/kube/object.h"
#include "reconcilers/api/task.h"

namespace convoke::api {

// Who made the operator do it.
struct AuditCause {
  enum class Kind { Operator, Agent, User };
  Kind kind = Kind::Operator;
  // The agent's name; or the field manager that owns the part of the spec that was followed (an API server
  // tells no user names); empty if not known.
  std::string who = {};
  bool operator==(const AuditCause&) const = default;
};
const char* to_string(AuditCause::Kind kind);

enum class AuditAction {
  Status,   // the phase, its reason or the assignment changed
  Created,  // an object was made
  Deleted,  // an object whose time is over was deleted
};
const char* to_string(AuditAction action);

struct AuditEntry {
  kube::ObjectReference object;  // with the resourceVersion that the write gave it, if it is still there
  AuditAction action = AuditAction::Status;
  std::int64_t generation = 0;  // of the spec that was decided on
  std::string from = {};        // phases; empty: there was no status
  std::string to = {};
  std::string reason = {};
  AuditCause cause = {};
  int attempt = 0;              // of a Task
  std::string agent_name = {};  // of a Task: whom the assignment names
  Assignment assignment = {};   // of a Task that was assigned, or whose agents were all rejected
  std::string owner = {};       // of a child: "WorkflowRun/name"
};

class AuditLog {
 public:
  virtual ~AuditLog() = default;
  virtual void record(const AuditEntry& entry) = 0;
};

// Who wrote spec.`field` of an object that the API server answered with, or spec itself for "": the latest
// manager of it in metadata.managedFields; empty if nobody owns it.
std::string manager_of(const Json& object, const std::string& field);

// People, unless this operator itself wrote the field.
AuditCause caused_by_spec(const Json& object, const std::string& field);

}  // namespace convoke::api
