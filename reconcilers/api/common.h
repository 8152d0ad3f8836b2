// What all kinds of convoke.dev/v1alpha1 share: names, conditions, retry policies. Plain values.
//
// Reading is tolerant: from_json of a kind never fails. What has a wrong type or value is left at its default
// and described in the object's `malformed` list ("spec.priority: expected an integer, got a string"), so
// that one bad object gets a condition instead of stopping a controller. Unknown fields are ignored.
//
// Free-form values (parameters, outputs) are kept as compact JSON text (RawJson), because a JSON document in
// memory costs many times its text.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "controller/base/clock.h"
#include "controller/kube/json.h"
#include "controller/kube/object.h"

namespace convoke::api {

inline constexpr char kGroup[] = "convoke.dev";
inline constexpr char kVersion[] = "v1alpha1";

namespace label {
inline constexpr char kAgent[] = "convoke.dev/agent";        // on an agent's heartbeat Lease
inline constexpr char kLock[] = "convoke.dev/lock";          // on a lock's Lease: the lock's name
inline constexpr char kWorkflow[] = "convoke.dev/workflow";  // on runs, Tasks and ControllerRevisions
inline constexpr char kTrigger[] = "convoke.dev/trigger";    // on runs that a trigger started: its name
// On the Tasks and runs of a run:
inline constexpr char kRun[] = "convoke.dev/run";  // the run's name (cut and hashed above 63)
inline constexpr char kRunUid[] = "convoke.dev/run-uid";
inline constexpr char kStep[] = "convoke.dev/step";          // the step's name
inline constexpr char kRevision[] = "convoke.dev/revision";  // the ControllerRevision that the run executes
inline constexpr char kItem[] = "convoke.dev/item";          // of a step's forEach, from 0
inline constexpr char kIteration[] =
    "convoke.dev/iteration";                           // of a step's repeat, or visit of a state, from 1
inline constexpr char kRound[] = "convoke.dev/round";  // of the run's retryFrom
inline constexpr char kUndo[] = "convoke.dev/undo";    // "true": it undoes the step
inline constexpr char kParent[] =
    "convoke.dev/parent";  // on a subtask: its Task's name (cut and hashed above 63)
}  // namespace label

// Compact JSON text; empty means absent.
using RawJson = std::string;

// `text` in at most `max_bytes` bytes: cut between two characters, with "..." at the end, if it is longer.
std::string cut_text(std::string_view text, std::size_t max_bytes);

// metav1.Condition. `last_transition_time` is RFC 3339.
struct Condition {
  std::string type;
  bool status = false;
  std::string reason;
  std::string message;
  std::int64_t observed_generation = 0;
  std::string last_transition_time;
  bool operator==(const Condition&) const = default;
};

namespace condition {
inline constexpr char kReady[] = "Ready";
inline constexpr char kReconciling[] = "Reconciling";
inline constexpr char kStalled[] = "Stalled";
}  // namespace condition

// Sets or replaces the condition of that type; last_transition_time moves only when `status` flips. The
// message is cut to kMaxConditionMessageBytes.
inline constexpr std::size_t kMaxConditionMessageBytes = 1024;
void set_condition(std::vector<Condition>& conditions, Condition condition, const std::string& now);
const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type);
Json conditions_to_json(const std::vector<Condition>& conditions);

// The kstatus triple for a state, written in one place so that every kind says it alike:
//   InProgress: Ready=False, Reconciling=True,  Stalled=False
//   Current:    Ready=True,  Reconciling=False, Stalled=False
//   Failed:     Ready=False, Reconciling=False, Stalled=True
enum class Health { InProgress, Current, Failed };
void set_health(std::vector<Condition>& conditions, Health health, const std::string& reason,
                const std::string& message, std::int64_t generation, const std::string& now);

enum class BackoffType { Exponential, Fixed };

struct Backoff {
  BackoffType type = BackoffType::Exponential;
  Duration base = std::chrono::seconds(5);
  Duration max = std::chrono::seconds(60);
  bool operator==(const Backoff&) const = default;
};

enum class RetryOn { Failed, Timeout, AgentLost };

// `limit` counts the attempts after the first.
struct RetryPolicy {
  int limit = 3;
  std::vector<RetryOn> on = {RetryOn::Failed, RetryOn::Timeout, RetryOn::AgentLost};
  Backoff backoff;

  bool covers(RetryOn cause) const;
  // Before retry `n` (1 for the first), without jitter.
  Duration delay(int n) const;
  bool operator==(const RetryPolicy&) const = default;
};

struct LabelSelectorRequirement {
  std::string key;
  std::string op;  // In, NotIn, Exists, DoesNotExist
  std::vector<std::string> values;
  bool operator==(const LabelSelectorRequirement&) const = default;
};

struct LabelSelector {
  std::map<std::string, std::string> match_labels;
  std::vector<LabelSelectorRequirement> match_expressions;

  bool empty() const { return match_labels.empty() && match_expressions.empty(); }
  bool matches(const std::map<std::string, std::string>& labels) const;
  // "tier=gpu, zone in (a, b)" for messages.
  std::string describe() const;
  bool operator==(const LabelSelector&) const = default;
};

}  // namespace convoke::api
