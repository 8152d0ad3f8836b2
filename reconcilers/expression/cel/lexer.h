// From the text of an expression to its tokens. Internal to this folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controller/base/result.h"
#include "reconcilers/expression/cel/value.h"

namespace convoke::cel {

enum class TokenKind : std::uint8_t {
  Identifier,        // text: the name; also reserved words
  QuotedIdentifier,  // `content-type`, only after a dot
  Literal,           // value
  IntegerLiteral,    // text: the digits, with 0x; kept as text, because the sign decides the range
  Operator,          // text: the operator or bracket
  End,
};

struct Token {
  TokenKind kind = TokenKind::End;
  std::uint32_t offset = 0;
  std::string text;
  Value value;
};

// Errors: Invalid, reason "InvalidExpression", with the position.
Result<std::vector<Token>> tokenize(std::string_view source);

}  // namespace convoke::cel
