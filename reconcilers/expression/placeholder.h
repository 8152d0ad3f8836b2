// Strings with $( ) placeholders, parsed: the grammar that template.h describes.
//
// Pure; safe from every thread. Errors: Invalid (reason "InvalidTemplate"), saying where in the text and why.
// Bounds: those of cel::Program::compile() for each placeholder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controller/base/result.h"
#include "reconcilers/expression/cel/cel.h"

namespace convoke::expression {

// Either literal text or one placeholder.
struct Segment {
  std::string literal;
  cel::ProgramPtr program;  // null: literal text
};

// True if `text` needs parsing at all: most strings of a manifest do not.
bool has_placeholder(std::string_view text);

Result<std::vector<Segment>> parse_template(std::string_view text);

}  // namespace convoke::expression
