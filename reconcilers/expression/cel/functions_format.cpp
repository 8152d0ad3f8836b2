// "text %s".format([values]).
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>

#include "reconcilers/expression/cel/function.h"
#include "reconcilers/expression/cel/number.h"
#include "reconcilers/expression/cel/text.h"

namespace convoke::cel {
namespace {

constexpr int kMaxPrecision = 100;
constexpr int kDefaultPrecision = 6;

// What one clause writes, or why it cannot.
struct Piece {
  std::string text;
  std::string problem = {};
};

Piece wrong_kind(char clause, const Value& value) {
  return {"", std::string("%") + clause + " cannot write a " + std::string(value.type_name())};
}

std::string special_double(double value) {
  return std::isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
}

// Counts what it writes, so that a hostile value stops early.
class Writer {
 public:
  explicit Writer(Budget& budget) : budget_(budget) {}

  Piece as_text(const Value& value) {
    if (!budget_.spend()) {
      return {"", "too expensive"};
    }
    switch (value.kind()) {
      case Kind::String:
      case Kind::Bytes:
        return copied(value);
      case Kind::Double:
        return {std::isfinite(value.as_double()) ? double_text(value.as_double())
                                                 : special_double(value.as_double())};
      case Kind::List:
        return list(value);
      case Kind::Map:
        return map(value);
      case Kind::Optional:
      case Kind::Opaque:
        return wrong_kind('s', value);
      default:
        return {describe(value)};
    }
  }

 private:
  Piece copied(const Value& value) {
    const auto text = value.as_text();
    if (!budget_.produce(text.size()) || !budget_.spend(Budget::steps_for(text.size()))) {
      return {"", "too expensive"};
    }
    return value.is(Kind::Bytes) && !is_utf8(text) ? Piece{"", "%s cannot write bytes that are not UTF-8"}
                                                   : Piece{std::string(text)};
  }

  Piece list(const Value& value) {
    std::string result;
    for (std::size_t i = 0; i < value.size(); ++i) {
      Piece item = as_text(value.at(i));
      if (!item.problem.empty()) {
        return item;
      }
      result += (i == 0 ? "" : ", ") + item.text;
    }
    return {"[" + result + "]"};
  }

  Piece map(const Value& value) {
    std::map<std::string, std::string> entries;
    Piece problem;
    value.each_entry([&](const Value& key, const Value& entry) {
      Piece key_piece = as_text(key);
      Piece piece = as_text(entry);
      problem = key_piece.problem.empty() ? piece : key_piece;
      entries[key_piece.text] = piece.text;
      return problem.problem.empty();
    });
    if (!problem.problem.empty()) {
      return problem;
    }
    std::string result;
    for (const auto& [key, text] : entries) {
      result += (result.empty() ? "" : ", ") + key + ": " + text;
    }
    return {"{" + result + "}"};
  }

  Budget& budget_;
};

// The absolute value of an int or uint in a base, with its sign.
std::string integer_text(const Value& value, int base) {
  std::array<char, 66> buffer{};
  const auto written =
      value.is(Kind::Int)
          ? std::to_chars(buffer.data(), buffer.data() + buffer.size(), value.as_int(), base)
          : std::to_chars(buffer.data(), buffer.data() + buffer.size(), value.as_uint(), base);
  return std::string(buffer.data(), written.ptr);
}

Piece decimal(const Value& value) {
  if (value.is(Kind::Int) || value.is(Kind::Uint)) {
    return {integer_text(value, 10)};
  }
  return value.is(Kind::Double) && !std::isfinite(value.as_double())
             ? Piece{special_double(value.as_double())}
             : wrong_kind('d', value);
}

Piece binary(const Value& value) {
  if (value.is(Kind::Bool)) {
    return {value.as_bool() ? "1" : "0"};
  }
  return value.is(Kind::Int) || value.is(Kind::Uint) ? Piece{integer_text(value, 2)} : wrong_kind('b', value);
}

Piece octal(const Value& value) {
  return value.is(Kind::Int) || value.is(Kind::Uint) ? Piece{integer_text(value, 8)} : wrong_kind('o', value);
}

Piece hexadecimal(const Value& value, char clause, Budget& budget) {
  std::string text;
  if (value.is(Kind::Int) || value.is(Kind::Uint)) {
    text = integer_text(value, 16);
  } else if (value.is(Kind::String) || value.is(Kind::Bytes)) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    if (!budget.produce(2 * value.as_text().size()) ||
        !budget.spend(Budget::steps_for(value.as_text().size()))) {
      return {"", "too expensive"};
    }
    for (const char c : value.as_text()) {
      const auto byte = static_cast<unsigned char>(c);
      text += kDigits[byte >> 4U];
      text += kDigits[byte & 0xFU];
    }
  } else {
    return wrong_kind(clause, value);
  }
  return {clause == 'X' ? upper_ascii(text) : text};
}

Piece floating(const Value& value, char clause, int precision) {
  if (!value.is_number()) {
    return wrong_kind(clause, value);
  }
  const double number = value.is(Kind::Int)    ? static_cast<double>(value.as_int())
                        : value.is(Kind::Uint) ? static_cast<double>(value.as_uint())
                                               : value.as_double();
  if (!std::isfinite(number)) {
    return {special_double(number)};
  }
  std::array<char, 512> buffer{};  // 309 digits, the point, and the precision
  const int length = clause == 'f' ? std::snprintf(buffer.data(), buffer.size(), "%.*f", precision, number)
                                   : std::snprintf(buffer.data(), buffer.size(), "%.*e", precision, number);
  return {std::string(buffer.data(), static_cast<std::size_t>(length))};
}

class Formatter {
 public:
  explicit Formatter(const Call& call) : call_(call), format_(call[0].as_text()), args_(call[1]) {}

  Value run() {
    while (at_ < format_.size()) {
      const auto percent = std::min(format_.find('%', at_), format_.size());
      if (!append(format_.substr(at_, percent - at_))) {
        return too_expensive();
      }
      at_ = percent;
      if (at_ < format_.size()) {
        if (const auto problem = clause(); !problem.empty()) {
          return call_.budget.is_exhausted() ? too_expensive() : Call::error("format(): " + problem);
        }
      }
    }
    return Value::from_string(std::move(result_));
  }

 private:
  bool append(std::string_view text) {
    result_.append(text);
    return call_.budget.produce(text.size()) && call_.budget.spend(Budget::steps_for(text.size()));
  }

  // One clause, from its "%" on. Gives what is wrong with it, or nothing.
  std::string clause() {
    ++at_;
    if (at_ < format_.size() && format_[at_] == '%') {
      ++at_;
      return append("%") ? "" : "too expensive";
    }
    int precision = kDefaultPrecision;
    if (at_ < format_.size() && format_[at_] == '.') {
      const auto begin = ++at_;
      at_ = std::min(format_.find_first_not_of("0123456789", at_), format_.size());
      const auto parsed = parse_uint(format_.substr(begin, at_ - begin));
      if (!parsed || *parsed > kMaxPrecision) {
        return "a precision is a number up to " + std::to_string(kMaxPrecision);
      }
      precision = static_cast<int>(*parsed);
    }
    if (at_ >= format_.size()) {
      return "the text ends within a clause; a percent sign is written %%";
    }
    const char letter = format_[at_++];
    if (std::string_view("sdfebxXo").find(letter) == std::string_view::npos) {
      return "there is no such clause; they are %s %d %f %e %b %o %x %X, and %% for a percent sign";
    }
    if (next_ >= args_.size()) {
      return "there are more clauses than values";
    }
    const Piece piece = write(letter, precision, args_.at(next_++));
    return !piece.problem.empty() ? piece.problem : append(piece.text) ? "" : "too expensive";
  }

  Piece write(char letter, int precision, const Value& value) {
    switch (letter) {
      case 's':
        return Writer(call_.budget).as_text(value);
      case 'd':
        return decimal(value);
      case 'b':
        return binary(value);
      case 'o':
        return octal(value);
      case 'x':
      case 'X':
        return hexadecimal(value, letter, call_.budget);
      default:
        return floating(value, letter, precision);
    }
  }

  const Call& call_;
  std::string_view format_;
  const Value& args_;
  std::size_t at_ = 0;
  std::size_t next_ = 0;
  std::string result_;
};

Value format(const Call& call) {
  return call.takes({Kind::String, Kind::List}) ? Formatter(call).run() : call.no_overload();
}

constexpr Function kFormatFunctions[] = {
    {"format", true, 2, 2, format},
};

}  // namespace

FunctionTable format_functions() {
  return kFormatFunctions;
}

}  // namespace convoke::cel
