// IP addresses and networks, as text and bits. Pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace convoke::cel {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};  // of version 4: the first four
  bool is_v4 = true;

  int bits() const { return is_v4 ? 32 : 128; }
  bool operator==(const IpAddress&) const = default;
};

struct Cidr {
  IpAddress address;
  int prefix = 0;
  bool operator==(const Cidr&) const = default;
};

// Without zones, and no address of version 4 in the notation ::ffff:1.2.3.4; as ::ffff:102:304 it is taken
// for 1.2.3.4.
std::optional<IpAddress> parse_ip(std::string_view text);
// Canonical: lower case, the longest run of zeros as "::".
std::string ip_text(const IpAddress& address);

std::optional<Cidr> parse_cidr(std::string_view text);
std::string cidr_text(const Cidr& cidr);
// With the bits behind the prefix cleared.
IpAddress masked(const IpAddress& address, int prefix);
bool contains(const Cidr& cidr, const IpAddress& address);

bool is_unspecified(const IpAddress& address);
bool is_loopback(const IpAddress& address);
bool is_link_local_unicast(const IpAddress& address);
bool is_link_local_multicast(const IpAddress& address);
bool is_global_unicast(const IpAddress& address);

}  // namespace convoke::cel
