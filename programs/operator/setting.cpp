#include "programs/operator/setting.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include <strings.h>

#include "controller/base/time_format.h"

namespace convoke::programs {

namespace {

constexpr double kLeastWeight = 0.01;
constexpr double kMostWeight = 100;

Error invalid(std::string message) {
  return Error{ErrorCode::Invalid, std::move(message)};
}

std::string quoted(const std::string& text) {
  return '"' + text + '"';
}

// The shortest text that reads as the same number.
std::string show(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

std::string from_to(const std::string& what, const std::string& min, const std::string& max) {
  return what + " from " + min + " to " + max;
}

template <class T>
std::optional<T> parse_whole(const std::string& text) {
  T value{};
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return value;
}

}  // namespace

namespace internal {

bool same_word(const std::string& a, const std::string& b) {
  return strcasecmp(a.c_str(), b.c_str()) == 0;
}

Error not_one_of(const std::string& text, const std::vector<std::string>& words) {
  std::string list;
  for (const auto& word : words) list += (list.empty() ? "" : ", ") + word;
  return invalid(quoted(text) + " is none of " + list);
}

}  // namespace internal

std::string Setting::flag() const {
  std::string flag = "--";
  for (const char c : path) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper || c == '.') flag += '-';
    if (upper) {
      flag += static_cast<char>(c - 'A' + 'a');
    } else if (c != '.') {
      flag += c;
    }
  }
  return flag;
}

Setting text_setting(std::string path, std::string help, std::string& value, TextCheck check) {
  auto set = [&value, check = std::move(check)](const std::string& text) -> Status {
    if (check) {
      if (Status status = check(text); !status) return status;
    }
    value = text;
    return {};
  };
  return {std::move(path), "TEXT", std::move(help), "a text", std::move(set), [&value] { return value; }};
}

Setting bool_setting(std::string path, std::string help, bool& value) {
  auto set = [&value](const std::string& text) -> Status {
    if (text != "true" && text != "false") return invalid(quoted(text) + " is neither true nor false");
    value = text == "true";
    return {};
  };
  auto get = [&value] { return std::string(value ? "true" : "false"); };
  return {std::move(path), "true|false", std::move(help), "true or false", std::move(set), std::move(get)};
}

Setting int_setting(std::string path, std::string help, int& value, int min, int max) {
  auto set = [&value, min, max](const std::string& text) -> Status {
    const auto parsed = parse_whole<int>(text);
    if (!parsed) return invalid(quoted(text) + " is not a whole number");
    if (*parsed < min || *parsed > max) {
      return invalid(text + " is not between " + std::to_string(min) + " and " + std::to_string(max));
    }
    value = *parsed;
    return {};
  };
  auto range = from_to("a whole number", std::to_string(min), std::to_string(max));
  auto get = [&value] { return std::to_string(value); };
  return {std::move(path), "INT", std::move(help), std::move(range), std::move(set), std::move(get)};
}

Setting number_setting(std::string path, std::string help, double& value, double min, double max) {
  auto set = [&value, min, max](const std::string& text) -> Status {
    const auto parsed = parse_whole<double>(text);
    if (!parsed || !std::isfinite(*parsed)) return invalid(quoted(text) + " is not a number");
    if (*parsed < min || *parsed > max)
      return invalid(text + " is not between " + show(min) + " and " + show(max));
    value = *parsed;
    return {};
  };
  auto range = from_to("a number", show(min), show(max));
  auto get = [&value] { return show(value); };
  return {std::move(path), "NUMBER", std::move(help), std::move(range), std::move(set), std::move(get)};
}

Setting weights_setting(std::string path, std::string help, std::map<std::string, double>& value) {
  auto set = [&value](const std::string& text) -> Status {
    std::map<std::string, double> weights;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      const std::string item = text.substr(begin, end - begin);
      const std::size_t equals = item.find('=');
      const std::string name = item.substr(0, equals);
      const auto weight =
          equals == std::string::npos ? std::nullopt : parse_whole<double>(item.substr(equals + 1));
      if (name.empty() || !weight) return invalid(quoted(item) + " is not NAME=WEIGHT");
      if (!(*weight >= kLeastWeight && *weight <= kMostWeight)) {
        return invalid("the weight of " + name + " is not between " + show(kLeastWeight) + " and " +
                       show(kMostWeight));
      }
      if (!weights.emplace(name, *weight).second) return invalid(name + " is there twice");
      begin = end + 1;
    }
    value = std::move(weights);
    return {};
  };
  auto range = "a map of " + from_to("numbers", show(kLeastWeight), show(kMostWeight)) +
               ", or a text such as team-a=3,team-b=0.5";
  auto get = [&value] {
    std::string text;
    for (const auto& [name, weight] : value) text += (text.empty() ? "" : ",") + name + "=" + show(weight);
    return text;
  };
  Setting setting{std::move(path),  "NAME=WEIGHT,...", std::move(help),
                  std::move(range), std::move(set),    std::move(get)};
  setting.is_map = true;
  return setting;
}

Setting duration_setting(std::string path, std::string help, Duration& value, Duration min, Duration max) {
  auto set = [&value, min, max](const std::string& text) -> Status {
    const auto parsed = parse_duration(text);
    if (!parsed) return invalid(quoted(text) + " is not a duration such as 90s, 5m or 1h30m");
    if (*parsed < min || *parsed > max) {
      return invalid(text + " is not between " + format_duration(min) + " and " + format_duration(max));
    }
    value = *parsed;
    return {};
  };
  auto range = from_to("a duration", format_duration(min), format_duration(max));
  auto get = [&value] { return format_duration(value); };
  return {std::move(path), "DURATION", std::move(help), std::move(range), std::move(set), std::move(get)};
}

Setting hot(Setting setting) {
  setting.reload = Reload::Hot;
  return setting;
}

}  // namespace convoke::programs
