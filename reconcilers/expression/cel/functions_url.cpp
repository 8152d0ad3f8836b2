// URLs: url("https://example.com:80/path?a=b").getHost().
#include "reconcilers/expression/cel/function.h"
#include "reconcilers/expression/cel/opaque.h"
#include "reconcilers/expression/cel/url.h"

namespace convoke::cel {
namespace {

struct UrlTraits {
  using Type = Url;
  static constexpr std::string_view kName = "kubernetes.URL";
  static std::string text(const Url& url) { return url.text; }
};
using UrlValue = OpaqueOf<UrlTraits>;

// What the parsed form of a text takes, and the look at all of it.
bool pay_for(const Call& call) {
  const std::size_t bytes = call[0].as_text().size();
  return call.budget.produce(4 * bytes) && call.budget.spend(Budget::steps_for(4 * bytes));
}

Value url(const Call& call) {
  if (!call[0].is(Kind::String)) {
    return call.no_overload();
  }
  if (!pay_for(call)) {
    return too_expensive();
  }
  auto parsed = parse_url(call[0].as_text());
  return parsed ? UrlValue::make(std::move(*parsed))
                : Call::error("the text is no URL such as \"https://example.com/path\" or \"/path\"");
}

Value is_url(const Call& call) {
  if (!call[0].is(Kind::String)) {
    return call.no_overload();
  }
  return pay_for(call) ? Value::from_bool(parse_url(call[0].as_text()).has_value()) : too_expensive();
}

template <std::string Url::*part>
Value part_of(const Call& call) {
  const Url* own = UrlValue::get(call[0]);
  return own != nullptr ? call.text(own->*part) : call.no_overload();
}

Value query(const Call& call) {
  const Url* own = UrlValue::get(call[0]);
  if (own == nullptr) {
    return call.no_overload();
  }
  std::vector<std::pair<Value, Value>> entries;
  for (const auto& [key, values] : own->query) {
    std::vector<Value> items;
    for (const auto& value : values) {
      items.push_back(Value::from_string(value));
    }
    if (!call.budget.spend(items.size()) ||
        !call.budget.produce((items.size() + 2) * Budget::kBytesPerElement)) {
      return too_expensive();
    }
    entries.emplace_back(Value::from_string(key), Value::from_list(std::move(items)));
  }
  return Value::from_map(std::move(entries));
}

constexpr Function kUrlFunctions[] = {
    {"url", false, 1, 1, url},
    {"isURL", false, 1, 1, is_url},
    {"getScheme", true, 1, 1, part_of<&Url::scheme>},
    {"getHost", true, 1, 1, part_of<&Url::host>},
    {"getHostname", true, 1, 1, part_of<&Url::hostname>},
    {"getPort", true, 1, 1, part_of<&Url::port>},
    {"getEscapedPath", true, 1, 1, part_of<&Url::escaped_path>},
    {"getQuery", true, 1, 1, query},
};

}  // namespace

FunctionTable url_functions() {
  return kUrlFunctions;
}

}  // namespace convoke::cel
