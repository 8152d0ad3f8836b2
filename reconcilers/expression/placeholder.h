// Strings with $( ) placeholders, parsed: the grammar that template.h describes.
//
// Pure; safe from every thread. Errors: Invalid (reason "InvalidTemplate"), saying at which byte of the text
// and why. Bounds: a placeholder holds at most 1,024 bytes and 32 path elements, so that hostile text stays
// cheap.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/base/result.h"
#include "reconcilers/expression/template.h"

namespace convoke::expression {

// Either literal text or one placeholder.
struct Segment {
  std::string literal;
  std::optional<Reference> reference;
};

// True if `text` needs parsing at all: most strings of a manifest do not.
bool has_placeholder(std::string_view text);

Result<std::vector<Segment>> parse_template(std::string_view text);

}  // namespace convoke::expression
