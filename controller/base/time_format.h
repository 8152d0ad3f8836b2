// Times and durations as the Kubernetes API writes them. Pure functions, safe from every thread.
#pragma once

#include <string>
#include <string_view>

#include "controller/base/clock.h"
#include "controller/base/result.h"

namespace convoke {

// metav1.Time, whole seconds: "2026-01-31T12:00:05Z".
std::string format_time(WallTime time);
// metav1.MicroTime: "2026-01-31T12:00:05.123456Z".
std::string format_micro_time(WallTime time);
// RFC 3339 with any fraction and offset. Error Invalid names the text.
Result<WallTime> parse_time(std::string_view text);

// Go's duration syntax without signs: "90s", "5m", "1h30m", "1.5h", "250ms", "24h". Units h m s ms us ns.
Result<Duration> parse_duration(std::string_view text);
// The shortest exact form: "1h30m", "90s" becomes "1m30s", "0s".
std::string format_duration(Duration duration);
// For people, two units at most: "850ms", "4.2s", "3m12s", "2d4h".
std::string human_duration(Duration duration);

}  // namespace convoke
