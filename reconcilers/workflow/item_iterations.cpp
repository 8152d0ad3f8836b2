#include "reconcilers/workflow/item_iterations.h"

#include <charconv>

namespace convoke::workflow {
namespace {

// Reads a number, and the character after it if there is one to come; false if they are not there.
bool take_number(std::string_view& text, char after, int& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) {
    return false;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.empty() && text.front() != after) {
    return false;
  }
  text.remove_prefix(text.empty() ? 0 : 1);
  return true;
}

}  // namespace

ItemIterations parse_item_iterations(std::string_view text) {
  ItemIterations iterations;
  int item = 0;
  int iteration = 0;
  while (take_number(text, ':', item) && take_number(text, ',', iteration)) {
    iterations[item] = iteration;
  }
  return iterations;
}

std::string to_text(const ItemIterations& iterations) {
  std::string text;
  for (const auto& [item, iteration] : iterations) {
    text += (text.empty() ? "" : ",") + std::to_string(item) + ":" + std::to_string(iteration);
  }
  return text;
}

}  // namespace convoke::workflow
