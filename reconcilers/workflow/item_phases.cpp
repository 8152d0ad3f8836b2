#include "reconcilers/workflow/item_phases.h"

#include <algorithm>

namespace convoke::workflow {
namespace {

constexpr std::string_view kLetters = "prsfckux";

Error malformed() {
  return {ErrorCode::Invalid,
          "expected the phases of at most " + std::to_string(kMaxItems) + " items, such as \"3s1f\""};
}

}  // namespace

Result<ItemPhases> ItemPhases::parse(std::string_view text) {
  ItemPhases phases;
  std::size_t run = 0;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      run = run * 10 + static_cast<std::size_t>(c - '0');
    } else if (kLetters.find(c) != std::string_view::npos && run > 0) {
      phases.letters_.append(run, c);
      run = 0;
    } else {
      return malformed();
    }
    if (run + phases.letters_.size() > kMaxItems) {
      return malformed();
    }
  }
  if (run > 0) {
    return malformed();
  }
  return phases;
}

std::string ItemPhases::text() const {
  std::string text;
  for (std::size_t i = 0; i < letters_.size();) {
    const auto end = std::min(letters_.find_first_not_of(letters_[i], i), letters_.size());
    text += std::to_string(end - i) + letters_[i];
    i = end;
  }
  return text;
}

std::size_t ItemPhases::count(char letter) const {
  return static_cast<std::size_t>(std::count(letters_.begin(), letters_.end(), letter));
}

std::size_t ItemPhases::first(char letter) const {
  return std::min(letters_.find(letter), letters_.size());
}

void ItemPhases::replace(char from, char to) {
  std::replace(letters_.begin(), letters_.end(), from, to);
}

}  // namespace convoke::workflow
