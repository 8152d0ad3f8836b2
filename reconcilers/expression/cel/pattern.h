// A regular expression, of RE2: its time is linear in the text, whatever the pattern. Immutable; for every
// thread.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "controller/base/result.h"

namespace re2 {
class RE2;
}

namespace convoke::cel {

struct Match {
  std::size_t begin = 0;
  std::size_t end = 0;
};

class Pattern {
 public:
  // Error Invalid: it is no regular expression, or one that would take too much memory.
  static Result<std::shared_ptr<const Pattern>> compile(std::string_view text);
  ~Pattern();
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  // The first match from byte `from` on.
  std::optional<Match> find(std::string_view text, std::size_t from = 0) const;
  // How much more than a look at each byte a match may cost.
  std::size_t size() const { return size_; }

 private:
  explicit Pattern(std::unique_ptr<const re2::RE2> regex);

  std::unique_ptr<const re2::RE2> regex_;
  std::size_t size_ = 0;
};

}  // namespace convoke::cel
