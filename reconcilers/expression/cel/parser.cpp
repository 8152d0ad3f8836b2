#include "reconcilers/expression/cel/parser.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "reconcilers/expression/cel/lexer.h"
#include "reconcilers/expression/cel/macros.h"
#include "reconcilers/expression/cel/number.h"
#include "reconcilers/expression/cel/source.h"

namespace convoke::cel {
namespace {

constexpr std::array<std::string_view, 21> kReserved = {
    "as",  "break", "const",     "continue", "else",    "false",  "for",  "function", "if",   "import", "in",
    "let", "loop",  "namespace", "null",     "package", "return", "true", "var",      "void", "while"};

bool is_reserved(std::string_view name) {
  return std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
}

// Of the grammar's own words; all others may be fields and functions.
bool is_keyword(std::string_view name) {
  return name == "in" || name == "true" || name == "false" || name == "null";
}

struct BinaryOperator {
  std::string_view text;
  int precedence;
  Operator op;
};

constexpr int kRelation = 1;
constexpr int kSum = 2;
constexpr int kProduct = 3;
constexpr std::array<BinaryOperator, 12> kBinaryOperators = {{
    {"==", kRelation, Operator::Equal},
    {"!=", kRelation, Operator::NotEqual},
    {"<", kRelation, Operator::Less},
    {"<=", kRelation, Operator::LessEqual},
    {">", kRelation, Operator::Greater},
    {">=", kRelation, Operator::GreaterEqual},
    {"in", kRelation, Operator::In},
    {"+", kSum, Operator::Add},
    {"-", kSum, Operator::Subtract},
    {"*", kProduct, Operator::Multiply},
    {"/", kProduct, Operator::Divide},
    {"%", kProduct, Operator::Modulo},
}};

NodePtr make_node(NodeKind kind, std::uint32_t offset) {
  auto node = std::make_unique<Node>();
  node->kind = kind;
  node->offset = offset;
  return node;
}

// Every parse_* function returns null after an error, which is in error_.
class Parser {
 public:
  Parser(std::string_view source, std::vector<Token> tokens) : source_(source), tokens_(std::move(tokens)) {}

  Result<NodePtr> run() {
    NodePtr node = parse_expression();
    if (node && !is_at_end()) {
      fail_unexpected("the end, or an operator");
    }
    if (error_) {
      return *error_;
    }
    return node;
  }

 private:
  const Token& peek() const { return tokens_[at_]; }
  bool is_at_end() const { return peek().kind == TokenKind::End; }
  bool is_operator(std::string_view text) const {
    return peek().kind == TokenKind::Operator && peek().text == text;
  }
  bool take(std::string_view text) {
    if (!is_operator(text)) {
      return false;
    }
    ++at_;
    return true;
  }

  NodePtr fail(std::uint32_t offset, const std::string& what) {
    if (!error_) {
      error_ = error_at(source_, offset, what, "InvalidExpression");
    }
    return nullptr;
  }

  NodePtr fail_unexpected(const std::string& expected) {
    const Token& token = peek();
    const auto shown = source_.substr(token.offset, std::max<std::size_t>(token.text.size(), 1));
    return fail(token.offset,
                "expected " + expected +
                    (is_at_end() ? ", found the end" : ", found \"" + std::string(shown) + "\""));
  }

  bool expect(std::string_view text) {
    if (take(text)) {
      return true;
    }
    fail_unexpected("\"" + std::string(text) + "\"");
    return false;
  }

  NodePtr add_child(NodePtr parent, NodePtr child) {
    if (!parent || !child) {
      return nullptr;
    }
    parent->depth = std::max(parent->depth, child->depth + 1);
    if (parent->depth > kMaxTreeDepth) {
      return fail(parent->offset, "nested deeper than " + std::to_string(kMaxTreeDepth) + " levels");
    }
    parent->children.push_back(std::move(child));
    return parent;
  }

  // Brackets of any kind go through here, so this bounds the recursion of the parser itself.
  NodePtr parse_expression() {
    if (nesting_ >= kMaxTreeDepth) {
      return fail(peek().offset, "nested deeper than " + std::to_string(kMaxTreeDepth) + " levels");
    }
    ++nesting_;
    NodePtr node = parse_conditional();
    --nesting_;
    return node;
  }

  NodePtr parse_conditional() {
    NodePtr condition = parse_or();
    const auto offset = peek().offset;
    if (!condition || !take("?")) {
      return condition;
    }
    NodePtr node = add_child(make_node(NodeKind::Conditional, offset), std::move(condition));
    node = add_child(std::move(node), parse_or());
    if (!node || !expect(":")) {
      return nullptr;
    }
    return add_child(std::move(node), parse_expression());
  }

  NodePtr parse_or() { return parse_logic("||", NodeKind::Or, &Parser::parse_and); }
  NodePtr parse_and() { return parse_logic("&&", NodeKind::And, &Parser::parse_relation); }
  NodePtr parse_relation() { return parse_binary(kRelation); }

  // a || b || c is one node, however long.
  NodePtr parse_logic(std::string_view text, NodeKind kind, NodePtr (Parser::*parse_part)()) {
    NodePtr first = (this->*parse_part)();
    if (!first || !is_operator(text)) {
      return first;
    }
    NodePtr node = add_child(make_node(kind, peek().offset), std::move(first));
    while (node && take(text)) {
      node = add_child(std::move(node), (this->*parse_part)());
    }
    return node;
  }

  const BinaryOperator* peek_binary(int precedence) const {
    const bool is_word = peek().kind == TokenKind::Identifier;
    if (!is_word && peek().kind != TokenKind::Operator) {
      return nullptr;
    }
    for (const auto& candidate : kBinaryOperators) {
      if (candidate.precedence == precedence && peek().text == candidate.text) {
        return &candidate;
      }
    }
    return nullptr;
  }

  NodePtr parse_binary(int precedence) {
    const auto parse_operand = [&] {
      return precedence == kProduct ? parse_unary() : parse_binary(precedence + 1);
    };
    NodePtr left = parse_operand();
    while (left) {
      const BinaryOperator* found = peek_binary(precedence);
      if (found == nullptr) {
        break;
      }
      NodePtr node = make_node(NodeKind::Binary, peek().offset);
      ++at_;
      node->op = found->op;
      node = add_child(std::move(node), std::move(left));
      left = add_child(std::move(node), parse_operand());
    }
    return left;
  }

  NodePtr parse_unary() {
    std::vector<std::pair<NodeKind, std::uint32_t>> signs;
    while (is_operator("!") || is_operator("-")) {
      const bool is_negative = is_operator("-");
      const Token& next = tokens_[at_ + 1];
      if (is_negative && (next.kind == TokenKind::IntegerLiteral ||
                          (next.kind == TokenKind::Literal && next.value.is(Kind::Double)))) {
        break;  // the sign of a number belongs to it: -9223372036854775808 has no positive counterpart
      }
      signs.emplace_back(is_negative ? NodeKind::Negate : NodeKind::Not, peek().offset);
      ++at_;
    }
    NodePtr node = parse_member();
    while (node && !signs.empty()) {
      node = add_child(make_node(signs.back().first, signs.back().second), std::move(node));
      signs.pop_back();
    }
    return node;
  }

  NodePtr parse_member() {
    NodePtr node = parse_primary();
    while (node) {
      if (is_operator(".")) {
        node = parse_dot(std::move(node));
      } else if (is_operator("[")) {
        node = parse_index(std::move(node));
      } else {
        break;
      }
    }
    if (node && is_operator("{")) {
      return fail(peek().offset, "messages are not supported; a map is written {'key': value}");
    }
    return node;
  }

  NodePtr parse_dot(NodePtr operand) {
    ++at_;
    const bool is_optional = take("?");
    const Token& name = peek();
    const bool is_quoted = name.kind == TokenKind::QuotedIdentifier;
    if (!is_quoted && (name.kind != TokenKind::Identifier || is_keyword(name.text))) {
      return fail_unexpected("the name of a field; other keys are written ['key']");
    }
    ++at_;
    if (!is_quoted && !is_optional && is_operator("(")) {
      return parse_call(name, std::move(operand));
    }
    NodePtr node = make_node(NodeKind::Select, name.offset);
    node->text = name.text;
    node->is_optional = is_optional;
    return add_child(std::move(node), std::move(operand));
  }

  NodePtr parse_index(NodePtr operand) {
    NodePtr node = make_node(NodeKind::Index, peek().offset);
    ++at_;
    node->is_optional = take("?");
    node = add_child(std::move(node), std::move(operand));
    node = add_child(std::move(node), parse_expression());
    return node && expect("]") ? std::move(node) : nullptr;
  }

  NodePtr parse_call(const Token& name, NodePtr receiver) {
    NodePtr node = make_node(NodeKind::Call, name.offset);
    node->text = name.text;
    node->is_receiver = receiver != nullptr;
    if (receiver) {
      node = add_child(std::move(node), std::move(receiver));
    }
    ++at_;
    while (node && !is_operator(")")) {
      node = add_child(std::move(node), parse_expression());
      if (!node || !take(",")) {
        break;
      }
      if (is_operator(")")) {
        return fail_unexpected("an argument");
      }
    }
    if (!node || !expect(")")) {
      return nullptr;
    }
    const auto macro = expand_macro(*node);
    return macro.problem.empty() ? std::move(node) : fail(macro.problem_offset, macro.problem);
  }

  NodePtr parse_primary() {
    const Token& token = peek();
    switch (token.kind) {
      case TokenKind::Literal: {
        NodePtr node = make_node(NodeKind::Literal, token.offset);
        node->value = token.value;
        ++at_;
        return node;
      }
      case TokenKind::IntegerLiteral:
        return parse_number(false);
      case TokenKind::Identifier:
        return parse_name(false);
      case TokenKind::Operator:
        return parse_bracket();
      default:
        return fail_unexpected("a value");
    }
  }

  NodePtr parse_bracket() {
    if (take("(")) {
      NodePtr node = parse_expression();
      return node && expect(")") ? std::move(node) : nullptr;
    }
    if (is_operator("-")) {
      return parse_number(true);
    }
    if (is_operator("[")) {
      return parse_list();
    }
    if (is_operator("{")) {
      return parse_map();
    }
    if (is_operator(".") && tokens_[at_ + 1].kind == TokenKind::Identifier) {
      ++at_;
      return parse_name(true);
    }
    return fail_unexpected("a value");
  }

  NodePtr parse_number(bool is_negative) {
    NodePtr node = make_node(NodeKind::Literal, peek().offset);
    at_ += is_negative ? 1 : 0;
    const Token& token = peek();
    ++at_;
    if (token.kind == TokenKind::Literal) {
      node->value = Value::from_double(-token.value.as_double());
      return node;
    }
    const bool is_hex = token.text.size() > 1 && (token.text[1] == 'x' || token.text[1] == 'X');
    const auto value =
        parse_int((is_negative ? "-" : "") + (is_hex ? token.text.substr(2) : token.text), is_hex ? 16 : 10);
    if (!value) {
      return fail(token.offset, "an integer is between -9223372036854775808 and 9223372036854775807");
    }
    node->value = Value::from_int(*value);
    return node;
  }

  NodePtr parse_name(bool is_absolute) {
    const Token& token = peek();
    ++at_;
    if (is_operator("(") && !is_keyword(token.text)) {
      return parse_call(token, nullptr);
    }
    NodePtr node = make_node(NodeKind::Literal, token.offset);
    if (token.text == "true" || token.text == "false") {
      node->value = Value::from_bool(token.text == "true");
      return node;
    }
    if (token.text == "null") {
      return node;
    }
    if (is_reserved(token.text)) {
      return fail(token.offset, "\"" + token.text + "\" is a reserved word, which names no variable");
    }
    node->kind = NodeKind::Name;
    node->text = token.text;
    node->is_absolute = is_absolute;
    return node;
  }

  NodePtr parse_list() {
    NodePtr node = make_node(NodeKind::List, peek().offset);
    ++at_;
    while (node && !is_operator("]")) {
      node->optionals.push_back(take("?"));
      node = add_child(std::move(node), parse_expression());
      if (!node || !take(",")) {
        break;
      }
    }
    return node && expect("]") ? std::move(node) : nullptr;
  }

  NodePtr parse_map() {
    NodePtr node = make_node(NodeKind::Map, peek().offset);
    ++at_;
    while (node && !is_operator("}")) {
      node->optionals.push_back(take("?"));
      node = add_child(std::move(node), parse_expression());
      if (!node || !expect(":")) {
        return nullptr;
      }
      node = add_child(std::move(node), parse_expression());
      if (!node || !take(",")) {
        break;
      }
    }
    return node && expect("}") ? std::move(node) : nullptr;
  }

  std::string_view source_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int nesting_ = 0;
  std::optional<Error> error_;
};

}  // namespace

Result<NodePtr> parse(std::string_view source) {
  auto tokens = tokenize(source);
  if (!tokens) {
    return tokens.error();
  }
  return Parser(source, std::move(*tokens)).run();
}

}  // namespace convoke::cel
