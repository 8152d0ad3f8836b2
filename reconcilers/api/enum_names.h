// The names of an enum's values in the API: one table for both directions. Pure, safe from every thread.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace convoke::api {

template <class E, std::size_t N>
using EnumNames = std::array<std::pair<E, const char*>, N>;

template <class E, std::size_t N>
const char* name_of(const EnumNames<E, N>& names, E value) {
  for (const auto& [candidate, name] : names) {
    if (candidate == value) {
      return name;
    }
  }
  return "Unknown";
}

template <class E, std::size_t N>
std::optional<E> value_of(const EnumNames<E, N>& names, std::string_view text) {
  for (const auto& [value, name] : names) {
    if (text == name) {
      return value;
    }
  }
  return std::nullopt;
}

// "Graph, Sequential, Parallel"
template <class E, std::size_t N>
std::string all_names(const EnumNames<E, N>& names) {
  std::string text;
  for (const auto& [value, name] : names) {
    text += text.empty() ? name : std::string(", ") + name;
  }
  return text;
}

}  // namespace convoke::api
