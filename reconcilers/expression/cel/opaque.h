// A value of an extension, made of a plain type. Internal to this folder.
#pragma once

#include <compare>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "reconcilers/expression/cel/value.h"

namespace convoke::cel {

// Traits: Type, which has ==; kName; text(const Type&).
template <class Traits>
class OpaqueOf final : public Opaque {
 public:
  using Type = typename Traits::Type;

  explicit OpaqueOf(Type value) : value_(std::move(value)) {}
  static Value make(Type value) { return Value::from_opaque(std::make_shared<OpaqueOf>(std::move(value))); }
  // Null if `value` is something else.
  static const Type* get(const Value& value) {
    const auto* own = value.is(Kind::Opaque) ? dynamic_cast<const OpaqueOf*>(&value.as_opaque()) : nullptr;
    return own != nullptr ? &own->value_ : nullptr;
  }

  std::string_view type_name() const override { return Traits::kName; }
  bool equals(const Opaque& other) const override {
    const auto* own = dynamic_cast<const OpaqueOf*>(&other);
    return own != nullptr && own->value_ == value_;
  }
  std::optional<std::partial_ordering> compare(const Opaque& other) const override {
    if constexpr (std::three_way_comparable<Type>) {
      const auto* own = dynamic_cast<const OpaqueOf*>(&other);
      return own != nullptr ? std::optional<std::partial_ordering>(value_ <=> own->value_) : std::nullopt;
    }
    return std::nullopt;
  }
  std::string text() const override { return Traits::text(value_); }

 private:
  Type value_;
};

}  // namespace convoke::cel
