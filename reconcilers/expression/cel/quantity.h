// Kubernetes' quantities: "1.5Gi", "200M", "100m", exact decimals with a suffix. Pure functions.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace convoke::cel {

// amount * 10^-9. Kubernetes rounds up to nano-units too.
struct Quantity {
  __extension__ using Amount = __int128;
  Amount nanos = 0;
  auto operator<=>(const Quantity&) const = default;
};

// Nothing if it is no quantity, or one of more than 2^63-1 units.
std::optional<Quantity> parse_quantity(std::string_view text);
// Without suffix: "1610612736", "0.1".
std::string quantity_text(const Quantity& quantity);
std::optional<Quantity> add(const Quantity& a, const Quantity& b);
std::optional<Quantity> subtract(const Quantity& a, const Quantity& b);
// Nothing if it has a fraction.
std::optional<std::int64_t> whole_units(const Quantity& quantity);
double approximate(const Quantity& quantity);

}  // namespace convoke::cel
