#include "controller/base/similar_word.h"

#include <algorithm>
#include <cctype>
#include <cstddef>

namespace convoke {

namespace {

// Nobody mistypes a word of this length into another one, and comparing is quadratic.
constexpr std::size_t kLongestWord = 100;

bool same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

// Optimal string alignment, with three rows of its table.
std::size_t changes_between(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before_last;
  std::vector<std::size_t> last(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::vector<std::size_t> row(b.size() + 1);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped =
          i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = std::move(last);
    last = std::move(row);
  }
  return last.back();
}

}  // namespace

std::string most_similar(const std::string& word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t fewest = kLongestWord;
  if (word.size() > kLongestWord) return best;
  for (const auto& candidate : known) {
    const std::size_t changes = changes_between(word, candidate);
    if (changes >= fewest || changes * 3 > candidate.size()) continue;
    best = candidate;
    fewest = changes;
  }
  return best;
}

}  // namespace convoke
