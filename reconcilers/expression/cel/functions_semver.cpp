// Semantic versions: semver("1.2.3").isGreaterThan(semver("1.2.3-rc.1")).
#include "reconcilers/expression/cel/function.h"
#include "reconcilers/expression/cel/opaque.h"
#include "reconcilers/expression/cel/semver.h"

namespace convoke::cel {
namespace {

struct SemverTraits {
  using Type = Semver;
  static constexpr std::string_view kName = "kubernetes.Semver";
  static std::string text(const Semver& version) { return semver_text(version); }
};
using SemverValue = OpaqueOf<SemverTraits>;

bool takes_text(const Call& call) {
  return call.takes({Kind::String}) || call.takes({Kind::String, Kind::Bool});
}

std::optional<Semver> parse_argument(const Call& call) {
  const bool is_lenient = call.size() == 2 && call[1].as_bool();
  return parse_semver(is_lenient ? normalized_semver(call[0].as_text()) : std::string(call[0].as_text()));
}

Value semver(const Call& call) {
  if (!takes_text(call)) {
    return call.no_overload();
  }
  auto version = parse_argument(call);
  return version ? SemverValue::make(std::move(*version))
                 : Call::error("the text is no version such as \"1.2.3\"");
}

Value is_semver(const Call& call) {
  return takes_text(call) ? Value::from_bool(parse_argument(call).has_value()) : call.no_overload();
}

template <std::int64_t Semver::*part>
Value part_of(const Call& call) {
  const Semver* version = SemverValue::get(call[0]);
  return version != nullptr ? Value::from_int(version->*part) : call.no_overload();
}

constexpr Function kSemverFunctions[] = {
    {"semver", false, 1, 2, semver},
    {"isSemver", false, 1, 2, is_semver},
    {"major", true, 1, 1, part_of<&Semver::major>},
    {"minor", true, 1, 1, part_of<&Semver::minor>},
    {"patch", true, 1, 1, part_of<&Semver::patch>},
};

}  // namespace

FunctionTable semver_functions() {
  return kSemverFunctions;
}

}  // namespace convoke::cel
