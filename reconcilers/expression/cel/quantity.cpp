#include "reconcilers/expression/cel/quantity.h"

#include <algorithm>
#include <array>
#include <limits>

#include "reconcilers/expression/cel/number.h"
#include "reconcilers/expression/cel/text.h"

namespace convoke::cel {
namespace {

using Amount = Quantity::Amount;

constexpr Amount kNanosPerUnit = 1'000'000'000;
constexpr Amount kLargest = Amount(std::numeric_limits<std::int64_t>::max()) * kNanosPerUnit;
constexpr std::size_t kMaxDigits = 60;

struct Suffix {
  std::string_view text;
  int base;  // 2 or 10
  int exponent;
};

constexpr std::array<Suffix, 16> kSuffixes = {{{"", 10, 0},
                                               {"n", 10, -9},
                                               {"u", 10, -6},
                                               {"m", 10, -3},
                                               {"k", 10, 3},
                                               {"M", 10, 6},
                                               {"G", 10, 9},
                                               {"T", 10, 12},
                                               {"P", 10, 15},
                                               {"E", 10, 18},
                                               {"Ki", 2, 10},
                                               {"Mi", 2, 20},
                                               {"Gi", 2, 30},
                                               {"Ti", 2, 40},
                                               {"Pi", 2, 50},
                                               {"Ei", 2, 60}}};

// The scale that stands behind the number: a suffix, or "e3" and "E-3".
std::optional<Suffix> parse_suffix(std::string_view text) {
  const auto* found = std::find_if(kSuffixes.begin(), kSuffixes.end(),
                                   [&](const Suffix& suffix) { return suffix.text == text; });
  if (found != kSuffixes.end()) {
    return *found;
  }
  if (text.size() < 2 || (text.front() != 'e' && text.front() != 'E')) {
    return std::nullopt;
  }
  constexpr std::int64_t kLargestExponent = 30;
  const auto exponent = parse_int(text.substr(1));
  if (!exponent || *exponent < -kLargestExponent || *exponent > kLargestExponent) {
    return std::nullopt;
  }
  return Suffix{text, 10, static_cast<int>(*exponent)};
}

// A number as digits without leading zeros, and how many of them stand behind the point.
struct Decimal {
  std::string digits;
  int fraction = 0;
};

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal result;
  bool has_point = false;
  bool has_digits = false;
  for (const char c : text) {
    if (c == '.' && !has_point) {
      has_point = true;
      continue;
    }
    if (!is_digit(c)) {
      return std::nullopt;
    }
    has_digits = true;
    if (!result.digits.empty() || c != '0') {
      result.digits += c;
    }
    result.fraction += has_point ? 1 : 0;
  }
  while (result.fraction > 0 && !result.digits.empty() && result.digits.back() == '0') {
    result.digits.pop_back();
    --result.fraction;
  }
  if (!has_digits || result.digits.size() > kMaxDigits) {
    return std::nullopt;
  }
  return result;
}

// False if it grows beyond 128 bits.
bool multiply(Amount& amount, Amount by, int times) {
  for (; times > 0 && amount != 0; --times) {
    if (__builtin_mul_overflow(amount, by, &amount)) {
      return false;
    }
  }
  return true;
}

// Divides, rounding up, as Kubernetes does.
void divide(Amount& amount, int decimals) {
  bool has_rest = false;
  for (; decimals > 0 && amount != 0; --decimals) {
    has_rest = has_rest || amount % 10 != 0;
    amount /= 10;
  }
  amount += has_rest ? 1 : 0;
}

bool in_range(Amount nanos) {
  return nanos <= kLargest && nanos >= -kLargest;
}

// nanos = digits * 10^(9 + exponent - fraction) * 2^(binary exponent)
std::optional<Amount> scaled(const Decimal& number, const Suffix& suffix) {
  Amount amount = 0;
  for (const char c : number.digits) {
    if (__builtin_mul_overflow(amount, Amount(10), &amount) ||
        __builtin_add_overflow(amount, Amount(c - '0'), &amount)) {
      return std::nullopt;
    }
  }
  const int decimals = 9 - number.fraction + (suffix.base == 10 ? suffix.exponent : 0);
  if (!multiply(amount, 2, suffix.base == 2 ? suffix.exponent : 0) ||
      !multiply(amount, 10, std::max(decimals, 0))) {
    return std::nullopt;
  }
  divide(amount, std::max(-decimals, 0));
  return in_range(amount) ? std::optional(amount) : std::nullopt;
}

}  // namespace

std::optional<Quantity> parse_quantity(std::string_view text) {
  const bool is_negative = !text.empty() && text.front() == '-';
  if (is_negative || (!text.empty() && text.front() == '+')) {
    text.remove_prefix(1);
  }
  const auto end = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto number = parse_decimal(text.substr(0, end));
  const auto suffix = parse_suffix(text.substr(end));
  const auto nanos = number && suffix ? scaled(*number, *suffix) : std::nullopt;
  if (!nanos) {
    return std::nullopt;
  }
  return Quantity{is_negative ? -*nanos : *nanos};
}

std::string quantity_text(const Quantity& quantity) {
  const bool is_negative = quantity.nanos < 0;
  const Amount magnitude = is_negative ? -quantity.nanos : quantity.nanos;
  std::string text =
      (is_negative ? "-" : "") + std::to_string(static_cast<std::uint64_t>(magnitude / kNanosPerUnit));
  const auto fraction = static_cast<std::uint64_t>(magnitude % kNanosPerUnit);
  if (fraction != 0) {
    std::string digits = std::to_string(fraction + static_cast<std::uint64_t>(kNanosPerUnit));
    digits.front() = '.';
    text += digits.substr(0, digits.find_last_not_of('0') + 1);
  }
  return text;
}

std::optional<Quantity> add(const Quantity& a, const Quantity& b) {
  const Amount sum = a.nanos + b.nanos;  // both are far below 2^126
  return in_range(sum) ? std::optional(Quantity{sum}) : std::nullopt;
}

std::optional<Quantity> subtract(const Quantity& a, const Quantity& b) {
  return add(a, Quantity{-b.nanos});
}

std::optional<std::int64_t> whole_units(const Quantity& quantity) {
  return quantity.nanos % kNanosPerUnit == 0
             ? std::optional(static_cast<std::int64_t>(quantity.nanos / kNanosPerUnit))
             : std::nullopt;
}

double approximate(const Quantity& quantity) {
  return static_cast<double>(quantity.nanos) / static_cast<double>(kNanosPerUnit);
}

}  // namespace convoke::cel
