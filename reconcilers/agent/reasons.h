// Every reason of an Agent's conditions and Events, and the actions of its Events.
#pragma once

namespace convoke::agent {

namespace reason {
inline constexpr char kNeverSeen[] = "NeverSeen";
inline constexpr char kReady[] = "Ready";
inline constexpr char kCordoned[] = "Cordoned";
inline constexpr char kHeartbeatTooOld[] = "HeartbeatTooOld";
inline constexpr char kCircuitOpen[] = "CircuitOpen";
inline constexpr char kCircuitHalfOpen[] = "CircuitHalfOpen";
// Of an agent that Tasks are brought to.
inline constexpr char kHealthCheckFailed[] = "HealthCheckFailed";
inline constexpr char kJobsNotEnabled[] = "JobsNotEnabled";
inline constexpr char kSecretNotReadable[] = "SecretNotReadable";
inline constexpr char kInvalidSpec[] = "InvalidSpec";
}  // namespace reason

namespace action {
inline constexpr char kObserve[] = "Observe";
inline constexpr char kValidate[] = "Validate";
}  // namespace action

}  // namespace convoke::agent
