// The phases of a fan-out's items, as a row keeps them: run-length text, "120s1f5r9874p" for 120 items that
// succeeded, one that failed, five that run and the rest pending. Ten thousand items that end in any order
// fit a few kilobytes, and most fit a few bytes.
//
// A plain value. Errors: Invalid for text that is not of this form.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "controller/base/result.h"

namespace convoke::workflow {

inline constexpr std::size_t kMaxItems = 10'000;

class ItemPhases {
 public:
  static constexpr char kPending = 'p';
  static constexpr char kRunning = 'r';
  static constexpr char kSucceeded = 's';
  static constexpr char kFailed = 'f';
  static constexpr char kCancelled = 'c';
  static constexpr char kSkipped = 'k';
  static constexpr char kUndone = 'u';
  static constexpr char kUndoFailed = 'x';

  ItemPhases() = default;
  explicit ItemPhases(std::size_t count) : letters_(count, kPending) {}
  static Result<ItemPhases> parse(std::string_view text);
  std::string text() const;

  std::size_t size() const { return letters_.size(); }
  char operator[](std::size_t item) const { return letters_[item]; }
  void set(std::size_t item, char letter) { letters_[item] = letter; }
  std::size_t count(char letter) const;
  // The first item with that letter; size() if there is none.
  std::size_t first(char letter) const;
  // Gives every item with the letter `from` the letter `to`.
  void replace(char from, char to);

 private:
  std::string letters_;
};

}  // namespace convoke::workflow
