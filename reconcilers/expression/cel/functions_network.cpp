// IP addresses and networks.
#include "reconcilers/expression/cel/function.h"
#include "reconcilers/expression/cel/ip_address.h"
#include "reconcilers/expression/cel/opaque.h"

namespace convoke::cel {
namespace {

struct IpTraits {
  using Type = IpAddress;
  static constexpr std::string_view kName = "net.IP";
  static std::string text(const IpAddress& address) { return ip_text(address); }
};
using IpValue = OpaqueOf<IpTraits>;

struct CidrTraits {
  using Type = Cidr;
  static constexpr std::string_view kName = "net.CIDR";
  static std::string text(const Cidr& cidr) { return cidr_text(cidr); }
};
using CidrValue = OpaqueOf<CidrTraits>;

constexpr const char* kNoIp = "the text is no IP address; zones and ::ffff:1.2.3.4 are not allowed";
constexpr const char* kNoCidr =
    "the text is no network such as 10.0.0.0/8; zones and ::ffff:1.2.3.4 are not allowed";

// ip("10.0.0.1"), and cidr.ip().
Value ip(const Call& call) {
  if (const Cidr* cidr = CidrValue::get(call[0])) {
    return IpValue::make(cidr->address);
  }
  if (!call[0].is(Kind::String)) {
    return call.no_overload();
  }
  const auto address = parse_ip(call[0].as_text());
  return address ? IpValue::make(*address) : Call::error(kNoIp);
}

Value is_ip(const Call& call) {
  return call[0].is(Kind::String) ? Value::from_bool(parse_ip(call[0].as_text()).has_value())
                                  : call.no_overload();
}

Value is_canonical(const Call& call) {
  if (!call[0].is(Kind::String)) {
    return call.no_overload();
  }
  const auto address = parse_ip(call[0].as_text());
  return address ? Value::from_bool(ip_text(*address) == call[0].as_text()) : Call::error(kNoIp);
}

Value family(const Call& call) {
  const IpAddress* address = IpValue::get(call[0]);
  return address != nullptr ? Value::from_int(address->is_v4 ? 4 : 6) : call.no_overload();
}

template <bool (*test)(const IpAddress&)>
Value test_ip(const Call& call) {
  const IpAddress* address = IpValue::get(call[0]);
  return address != nullptr ? Value::from_bool(test(*address)) : call.no_overload();
}

Value cidr(const Call& call) {
  if (!call[0].is(Kind::String)) {
    return call.no_overload();
  }
  const auto parsed = parse_cidr(call[0].as_text());
  return parsed ? CidrValue::make(*parsed) : Call::error(kNoCidr);
}

Value is_cidr(const Call& call) {
  return call[0].is(Kind::String) ? Value::from_bool(parse_cidr(call[0].as_text()).has_value())
                                  : call.no_overload();
}

Value contains_ip(const Call& call) {
  const Cidr* network = CidrValue::get(call[0]);
  const IpAddress* address = IpValue::get(call[1]);
  if (network == nullptr || (address == nullptr && !call[1].is(Kind::String))) {
    return call.no_overload();
  }
  const auto parsed = address != nullptr ? std::optional(*address) : parse_ip(call[1].as_text());
  return parsed ? Value::from_bool(contains(*network, *parsed)) : Call::error(kNoIp);
}

Value contains_cidr(const Call& call) {
  const Cidr* network = CidrValue::get(call[0]);
  const Cidr* other = CidrValue::get(call[1]);
  if (network == nullptr || (other == nullptr && !call[1].is(Kind::String))) {
    return call.no_overload();
  }
  const auto parsed = other != nullptr ? std::optional(*other) : parse_cidr(call[1].as_text());
  return parsed ? Value::from_bool(parsed->prefix >= network->prefix && contains(*network, parsed->address))
                : Call::error(kNoCidr);
}

Value masked_cidr(const Call& call) {
  const Cidr* network = CidrValue::get(call[0]);
  return network != nullptr
             ? CidrValue::make(Cidr{masked(network->address, network->prefix), network->prefix})
             : call.no_overload();
}

Value prefix_length(const Call& call) {
  const Cidr* network = CidrValue::get(call[0]);
  return network != nullptr ? Value::from_int(network->prefix) : call.no_overload();
}

constexpr Function kNetworkFunctions[] = {
    {"ip", false, 1, 1, ip},
    {"ip", true, 1, 1, ip},
    {"isIP", false, 1, 1, is_ip},
    {"ip.isCanonical", false, 1, 1, is_canonical},
    {"family", true, 1, 1, family},
    {"isUnspecified", true, 1, 1, test_ip<is_unspecified>},
    {"isLoopback", true, 1, 1, test_ip<is_loopback>},
    {"isLinkLocalUnicast", true, 1, 1, test_ip<is_link_local_unicast>},
    {"isLinkLocalMulticast", true, 1, 1, test_ip<is_link_local_multicast>},
    {"isGlobalUnicast", true, 1, 1, test_ip<is_global_unicast>},
    {"cidr", false, 1, 1, cidr},
    {"isCIDR", false, 1, 1, is_cidr},
    {"containsIP", true, 2, 2, contains_ip},
    {"containsCIDR", true, 2, 2, contains_cidr},
    {"masked", true, 1, 1, masked_cidr},
    {"prefixLength", true, 1, 1, prefix_length},
};

}  // namespace

FunctionTable network_functions() {
  return kNetworkFunctions;
}

}  // namespace convoke::cel
