// Every reason that dispatch gives for the state of an Agent, and the codes of the errors that it reports
// for one (status.report.error.code of a Task).
#pragma once

namespace convoke::dispatch {

namespace reason {
inline constexpr char kSecretNotReadable[] = "SecretNotReadable";
inline constexpr char kHealthCheckFailed[] = "HealthCheckFailed";
inline constexpr char kJobsNotEnabled[] = "JobsNotEnabled";
}  // namespace reason

namespace code {
inline constexpr char kOutcomeUnknown[] = "OutcomeUnknown";
inline constexpr char kInvalidAnswer[] = "InvalidAnswer";
inline constexpr char kInvalidLocation[] = "InvalidLocation";
inline constexpr char kJobNotAccepted[] = "JobNotAccepted";
inline constexpr char kJobDeleted[] = "JobDeleted";
inline constexpr char kModeChanged[] = "DispatchModeChanged";
}  // namespace code

}  // namespace convoke::dispatch
