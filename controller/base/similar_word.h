// "Did you mean": the known word that somebody who wrote another one probably meant. Pure.
#pragma once

#include <string>
#include <vector>

namespace convoke {

// The word of `known` that takes the fewest changes (letters put in, left out, replaced, or swapped with
// their neighbour; upper and lower case are the same), the first of equals. Empty if even that one takes more
// changes than a third of its letters.
std::string most_similar(const std::string& word, const std::vector<std::string>& known);

}  // namespace convoke
