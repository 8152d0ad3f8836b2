// Functions for text; positions count code points.
#include <algorithm>
#include <limits>

#include "reconcilers/expression/cel/function.h"
#include "reconcilers/expression/cel/text.h"

namespace convoke::cel {
namespace {

constexpr auto kNowhere = std::string_view::npos;

// Pays for a look at all the text among the arguments.
bool pay_for_text(const Call& call) {
  std::uint64_t bytes = 0;
  for (const Value& arg : call.args) {
    bytes += arg.is(Kind::String) ? arg.as_text().size() : 0;
  }
  return call.budget.spend(Budget::steps_for(bytes));
}

Value out_of_range() {
  return Call::error("a position is outside of the text");
}

// Where the code point of that number starts, or the end of the text.
std::optional<std::size_t> offset_of(std::string_view text, std::int64_t position) {
  return position < 0 ? std::nullopt : byte_offset(text, static_cast<std::size_t>(position));
}

Value position_value(std::string_view text, std::size_t offset) {
  return Value::from_int(
      offset == kNowhere ? -1 : static_cast<std::int64_t>(count_code_points(text.substr(0, offset))));
}

Value char_at(const Call& call) {
  if (!call.takes({Kind::String, Kind::Int})) {
    return call.no_overload();
  }
  if (!pay_for_text(call)) {
    return too_expensive();
  }
  const auto text = call[0].as_text();
  const auto offset = offset_of(text, call[1].as_int());
  if (!offset) {
    return out_of_range();
  }
  const auto rest = text.substr(*offset);
  return call.text(std::string(rest.substr(0, rest.empty() ? 0 : code_point_bytes(rest))));
}

Value substring(const Call& call) {
  if (!call.takes({Kind::String, Kind::Int}) && !call.takes({Kind::String, Kind::Int, Kind::Int})) {
    return call.no_overload();
  }
  if (!pay_for_text(call)) {
    return too_expensive();
  }
  const auto text = call[0].as_text();
  const auto begin = offset_of(text, call[1].as_int());
  if (!begin) {
    return out_of_range();
  }
  const auto end = call.size() == 3 ? offset_of(text, call[2].as_int()) : text.size();
  if (!end) {
    return out_of_range();
  }
  return *end < *begin ? Call::error("the end of a substring is before its start")
                       : call.text(std::string(text.substr(*begin, *end - *begin)));
}

// How many pieces or replacements a call allows; a negative number: all.
std::uint64_t count_argument(const Call& call, std::size_t i) {
  const bool is_all = call.size() <= i || call[i].as_int() < 0;
  return is_all ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(call[i].as_int());
}

Value replace(const Call& call) {
  if (!call.takes({Kind::String, Kind::String, Kind::String}) &&
      !call.takes({Kind::String, Kind::String, Kind::String, Kind::Int})) {
    return call.no_overload();
  }
  const auto text = call[0].as_text();
  const auto wanted = call[1].as_text();
  const auto substitute = call[2].as_text();
  if (!pay_for_text(call)) {
    return too_expensive();
  }
  std::string result;
  std::size_t at = 0;
  for (std::uint64_t left = count_argument(call, 3); left > 0; --left) {
    const std::size_t found = find_text(text, wanted, at);
    if (found == kNowhere) {
      break;
    }
    const std::size_t kept = found - at;
    if (!call.budget.spend() || !call.budget.produce(kept + substitute.size())) {
      return too_expensive();
    }
    result.append(text.substr(at, kept)).append(substitute);
    at = found + wanted.size();
    if (wanted.empty()) {  // between all code points, and at both ends
      if (at == text.size()) {
        return Value::from_string(std::move(result));
      }
      const std::size_t length = code_point_bytes(text.substr(at));
      result.append(text.substr(at, length));
      at += length;
    }
  }
  return call.budget.produce(text.size() - at) ? Value::from_string(result.append(text.substr(at)))
                                               : too_expensive();
}

Value split(const Call& call) {
  if (!call.takes({Kind::String, Kind::String}) && !call.takes({Kind::String, Kind::String, Kind::Int})) {
    return call.no_overload();
  }
  const auto text = call[0].as_text();
  const auto separator = call[1].as_text();
  const std::uint64_t most = count_argument(call, 2);
  if (!pay_for_text(call) || !call.budget.produce(text.size())) {
    return too_expensive();
  }
  std::vector<Value> pieces;
  std::size_t at = 0;
  while (pieces.size() + 1 < most) {
    std::size_t end = find_text(text, separator, at);
    if (separator.empty()) {
      end = at < text.size() ? at + code_point_bytes(text.substr(at)) : at;
      end = end == text.size() ? kNowhere : end;
    }
    if (end == kNowhere || !call.budget.spend()) {
      break;
    }
    pieces.push_back(Value::from_string(std::string(text.substr(at, end - at))));
    at = end + separator.size();
  }
  if (most > 0 && !(separator.empty() && text.empty())) {
    pieces.push_back(Value::from_string(std::string(text.substr(at))));
  }
  return call.list(std::move(pieces));
}

Value join(const Call& call) {
  if (!call.takes({Kind::List}) && !call.takes({Kind::List, Kind::String})) {
    return call.no_overload();
  }
  const auto separator = call.size() == 2 ? call[1].as_text() : std::string_view();
  std::string result;
  for (std::size_t i = 0; i < call[0].size(); ++i) {
    const Value item = call[0].at(i);
    if (!item.is(Kind::String)) {
      return Call::error("join() is of a list of strings; element " + std::to_string(i) + " is a " +
                         std::string(item.type_name()));
    }
    if (!call.budget.spend() || !call.budget.produce(separator.size() + item.as_text().size())) {
      return too_expensive();
    }
    result.append(i == 0 ? std::string_view() : separator).append(item.as_text());
  }
  return Value::from_string(std::move(result));
}

// A function of one text that gives a text.
template <class Change>
Value changed(const Call& call, Change change) {
  if (!call[0].is(Kind::String)) {
    return call.no_overload();
  }
  return pay_for_text(call) ? call.text(std::string(change(call[0].as_text()))) : too_expensive();
}

Value lower(const Call& call) {
  return changed(call, lower_ascii);
}
Value upper(const Call& call) {
  return changed(call, upper_ascii);
}
Value trim(const Call& call) {
  return changed(call, trimmed);
}

std::string reversed(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  std::size_t end = text.size();
  while (end > 0) {
    std::size_t begin = end - 1;
    while (begin > 0 && end - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U) {
      --begin;
    }
    if (code_point_bytes(text.substr(begin)) != end - begin) {
      begin = end - 1;
    }
    result.append(text.substr(begin, end - begin));
    end = begin;
  }
  return result;
}

// Of text, or of a list.
Value reverse(const Call& call) {
  if (!call[0].is(Kind::List)) {
    return changed(call, reversed);
  }
  std::vector<Value> items;
  for (std::size_t i = call[0].size(); i > 0; --i) {
    items.push_back(call[0].at(i - 1));
  }
  return call.list(std::move(items));
}

std::string quoted(std::string_view text) {
  static constexpr std::string_view kSpecial = "\a\b\f\n\r\t\v\\\"";
  static constexpr std::string_view kLetters = "abfnrtv\\\"";
  std::string result = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = code_point_bytes(text.substr(at));
    const auto special = kSpecial.find(text[at]);
    if (special != kNowhere) {
      result.append("\\").append(1, kLetters[special]);
    } else {
      append_code_point(result, code_point(text.substr(at)));
    }
    at += length;
  }
  return result + "\"";
}

Value quote(const Call& call) {
  return changed(call, quoted);
}

constexpr Function kStringFunctions[] = {
    {"charAt", true, 2, 2, char_at},   {"substring", true, 2, 3, substring},
    {"replace", true, 3, 4, replace},  {"split", true, 2, 3, split},
    {"join", true, 1, 2, join},        {"lowerAscii", true, 1, 1, lower},
    {"upperAscii", true, 1, 1, upper}, {"trim", true, 1, 1, trim},
    {"reverse", true, 1, 1, reverse},  {"strings.quote", false, 1, 1, quote},
};

}  // namespace

FunctionTable string_functions() {
  return kStringFunctions;
}

Value text_index_of(const Call& call) {
  if (!call.takes({Kind::String, Kind::String}) && !call.takes({Kind::String, Kind::String, Kind::Int})) {
    return call.no_overload();
  }
  if (!pay_for_text(call)) {
    return too_expensive();
  }
  const auto text = call[0].as_text();
  const std::int64_t from = call.size() == 3 ? call[2].as_int() : 0;
  const auto offset = offset_of(text, from);
  return offset ? position_value(text, find_text(text, call[1].as_text(), *offset)) : out_of_range();
}

Value text_last_index_of(const Call& call) {
  if (!call.takes({Kind::String, Kind::String}) && !call.takes({Kind::String, Kind::String, Kind::Int})) {
    return call.no_overload();
  }
  if (!pay_for_text(call)) {
    return too_expensive();
  }
  const auto text = call[0].as_text();
  const auto wanted = call[1].as_text();
  std::size_t end = text.size();
  if (call.size() == 3) {
    const auto last_start = offset_of(text, call[2].as_int());
    if (!last_start) {
      return out_of_range();
    }
    end = std::min(end, *last_start + wanted.size());
  }
  return position_value(text, find_last_text(text.substr(0, end), wanted));
}

}  // namespace convoke::cel
