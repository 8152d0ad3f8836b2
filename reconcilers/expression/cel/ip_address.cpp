#include "reconcilers/expression/cel/ip_address.h"

#include <algorithm>
#include <utility>

#include <arpa/inet.h>

#include "reconcilers/expression/cel/number.h"

namespace convoke::cel {
namespace {

constexpr std::size_t kMaxTextBytes = 64;

bool is_v4_mapped(const std::array<std::uint8_t, 16>& bytes) {
  return std::all_of(bytes.begin(), bytes.begin() + 10, [](std::uint8_t byte) { return byte == 0; }) &&
         bytes[10] == 0xFF && bytes[11] == 0xFF;
}

bool is_multicast(const IpAddress& address) {
  return address.is_v4 ? (address.bytes[0] & 0xF0U) == 0xE0U : address.bytes[0] == 0xFF;
}

struct Run {
  std::size_t begin = 8;
  std::size_t length = 1;  // a single zero is not worth a "::"
};

Run longest_zeros(const std::array<std::uint16_t, 8>& groups) {
  Run best;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    std::size_t end = i;
    while (end < groups.size() && groups.at(end) == 0) {
      ++end;
    }
    if (end - i > best.length) {
      best = {i, end - i};
    }
  }
  return best;
}

std::string hex_text(std::uint16_t group) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (unsigned shift = 16; shift > 0;) {
    shift -= 4;
    const auto digit = (group >> shift) & 0xFU;
    if (digit != 0 || !text.empty() || shift == 0) {
      text += kDigits[digit];
    }
  }
  return text;
}

}  // namespace

std::optional<IpAddress> parse_ip(std::string_view text) {
  if (text.size() > kMaxTextBytes || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  const std::string copy(text);
  IpAddress address;
  if (::inet_pton(AF_INET, copy.c_str(), address.bytes.data()) == 1) {
    return address;
  }
  address.is_v4 = false;
  if (::inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) != 1) {
    return std::nullopt;
  }
  if (is_v4_mapped(address.bytes)) {
    if (text.find('.') != std::string_view::npos) {
      return std::nullopt;
    }
    IpAddress v4;
    std::copy(address.bytes.begin() + 12, address.bytes.end(), v4.bytes.begin());
    return v4;
  }
  return address;
}

std::string ip_text(const IpAddress& address) {
  const auto& bytes = address.bytes;
  if (address.is_v4) {
    return std::to_string(bytes[0]) + "." + std::to_string(bytes[1]) + "." + std::to_string(bytes[2]) + "." +
           std::to_string(bytes[3]);
  }
  std::array<std::uint16_t, 8> groups{};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups.at(i) = static_cast<std::uint16_t>(bytes.at(2 * i) << 8U | bytes.at(2 * i + 1));
  }
  const Run zeros = longest_zeros(groups);
  std::string text;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (i == zeros.begin) {
      text += "::";
      i += zeros.length - 1;
    } else {
      text += (text.empty() || text.back() == ':' ? "" : ":") + hex_text(groups.at(i));
    }
  }
  return text;
}

std::optional<Cidr> parse_cidr(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) {
    return std::nullopt;
  }
  const auto address = parse_ip(text.substr(0, slash));
  const auto digits = text.substr(slash + 1);
  const auto prefix = parse_uint(digits);
  if (!address || !prefix || std::cmp_greater(*prefix, address->bits()) ||
      (digits.size() > 1 && digits[0] == '0')) {
    return std::nullopt;
  }
  return Cidr{*address, static_cast<int>(*prefix)};
}

std::string cidr_text(const Cidr& cidr) {
  return ip_text(cidr.address) + "/" + std::to_string(cidr.prefix);
}

IpAddress masked(const IpAddress& address, int prefix) {
  IpAddress result = address;
  for (std::size_t i = 0; i < result.bytes.size(); ++i) {
    const int kept = std::clamp(prefix - static_cast<int>(8 * i), 0, 8);
    result.bytes.at(i) =
        static_cast<std::uint8_t>(result.bytes.at(i) & (0xFF00U >> static_cast<unsigned>(kept)));
  }
  return result;
}

bool contains(const Cidr& cidr, const IpAddress& address) {
  return cidr.address.is_v4 == address.is_v4 &&
         masked(cidr.address, cidr.prefix) == masked(address, cidr.prefix);
}

bool is_unspecified(const IpAddress& address) {
  return std::all_of(address.bytes.begin(), address.bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool is_loopback(const IpAddress& address) {
  IpAddress v6;
  v6.is_v4 = false;
  v6.bytes[15] = 1;
  return address.is_v4 ? address.bytes[0] == 127 : address == v6;
}

bool is_link_local_unicast(const IpAddress& address) {
  return address.is_v4 ? address.bytes[0] == 169 && address.bytes[1] == 254
                       : address.bytes[0] == 0xFE && (address.bytes[1] & 0xC0U) == 0x80U;
}

bool is_link_local_multicast(const IpAddress& address) {
  return address.is_v4 ? address.bytes[0] == 224 && address.bytes[1] == 0 && address.bytes[2] == 0
                       : address.bytes[0] == 0xFF && (address.bytes[1] & 0x0FU) == 0x02U;
}

bool is_global_unicast(const IpAddress& address) {
  const bool is_broadcast = address.is_v4 && std::all_of(address.bytes.begin(), address.bytes.begin() + 4,
                                                         [](std::uint8_t byte) { return byte == 0xFF; });
  return !is_broadcast && !is_unspecified(address) && !is_loopback(address) && !is_multicast(address) &&
         !is_link_local_unicast(address);
}

}  // namespace convoke::cel
