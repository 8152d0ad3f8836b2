#include "programs/kubectl-convoke/style.h"

#include <algorithm>
#include <array>

namespace convoke::plugin {
namespace {

struct Look {
  const char* phase;
  const char* glyph;
  const char* ascii;
  const char* colour;  // SGR parameters
  const char* fill;
};

constexpr std::array<Look, 20> kLooks{{
    {"Succeeded", "✔", "+", "32", "#2ea043"},   {"Ready", "✔", "+", "32", "#2ea043"},
    {"Failed", "✘", "x", "31", "#da3633"},      {"Invalid", "✘", "x", "31", "#da3633"},
    {"Cancelled", "⊘", "/", "33", "#9e6a03"},   {"Running", "●", "*", "36", "#1f6feb"},
    {"Assigned", "◐", "~", "36", "#388bfd"},    {"Queued", "◌", "?", "35", "#8957e5"},
    {"Pending", "○", ".", "2", "#8b949e"},      {"Skipped", "–", "-", "2", "#6e7681"},
    {"Suspended", "‖", "=", "33", "#d29922"},   {"Compensating", "↺", "<", "35", "#bf4b8a"},
    {"Compensated", "↶", "<", "35", "#db61a2"}, {"Timeout", "✘", "x", "31", "#da3633"},
    {"AgentLost", "✘", "x", "31", "#da3633"},   {"Rejected", "⊘", "/", "33", "#9e6a03"},
    {"Offline", "✘", "x", "31", "#da3633"},     {"Degraded", "◐", "~", "33", "#d29922"},
    {"Waiting", "◌", "?", "35", "#8957e5"},     {"LockLost", "✘", "x", "31", "#da3633"},
}};
constexpr Look kOther{"", "○", ".", "0", "#8b949e"};

const Look& look_of(const std::string& phase) {
  const auto* found =
      std::find_if(kLooks.begin(), kLooks.end(), [&](const Look& look) { return phase == look.phase; });
  return found == kLooks.end() ? kOther : *found;
}

std::string painted(const std::string& text, const char* sgr, bool colour) {
  return colour && !text.empty() ? "\x1b[" + std::string(sgr) + "m" + text + "\x1b[0m" : text;
}

constexpr char kEscape = '\x1b';

// After the escape sequence that begins at `at`.
std::size_t end_of_escape(const std::string& text, std::size_t at) {
  const auto end = text.find('m', at);
  return end == std::string::npos ? text.size() : end + 1;
}

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

std::size_t end_of_character(const std::string& text, std::size_t at) {
  ++at;
  while (at < text.size() && continues_character(text[at])) ++at;
  return at;
}

}  // namespace

std::string Style::phase(const std::string& phase) const {
  if (phase.empty()) return "";
  const Look& look = look_of(phase);
  return painted(std::string(unicode ? look.glyph : look.ascii) + " " + phase, look.colour, colour);
}

std::string Style::bold(const std::string& text) const {
  return painted(text, "1", colour);
}

std::string Style::dim(const std::string& text) const {
  return painted(text, "2", colour);
}

std::string Style::red(const std::string& text) const {
  return painted(text, "31", colour);
}

std::string Style::yellow(const std::string& text) const {
  return painted(text, "33", colour);
}

const char* Style::branch(bool last) const {
  if (unicode) return last ? "└─ " : "├─ ";
  return last ? "`- " : "|- ";
}

const char* Style::trunk(bool last) const {
  if (last) return "   ";
  return unicode ? "│  " : "|  ";
}

std::string fill_of(const std::string& phase) {
  return look_of(phase).fill;
}

std::size_t width_of(const std::string& text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == kEscape) {
      at = end_of_escape(text, at);
    } else {
      at = end_of_character(text, at);
      ++width;
    }
  }
  return width;
}

std::string cut_to_width(const std::string& text, std::size_t columns) {
  constexpr std::size_t kDots = 3;
  if (width_of(text) <= columns || columns < kDots) return text;
  std::string cut;
  bool escaped = false;
  for (std::size_t at = 0, width = 0; width < columns - kDots;) {
    const bool escape = text[at] == kEscape;
    const auto end = escape ? end_of_escape(text, at) : end_of_character(text, at);
    cut += text.substr(at, end - at);
    at = end;
    width += escape ? 0 : 1;
    escaped = escaped || escape;
  }
  return cut + "..." + (escaped ? "\x1b[0m" : "");
}

std::vector<std::string> align(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    std::string line;
    std::size_t missing = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (widths[i] == 0) continue;
      if (!row[i].empty()) line.append(missing, ' ').append(row[i]);
      missing = (row[i].empty() ? missing : 0) + widths[i] - width_of(row[i]) + 2;
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string one_line(const std::string& text) {
  std::string line;
  for (const char c : text) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == '\x7f';
    if (!control) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

}  // namespace convoke::plugin
