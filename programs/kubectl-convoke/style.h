// How phases and tables look: in colour with glyphs on a terminal, in plain ASCII elsewhere.
//
// Values and pure functions, safe from every thread.
#pragma once

#include <string>
#include <vector>

namespace convoke::plugin {

struct Style {
  bool colour = false;
  bool unicode = false;

  // "✔ Succeeded", "+ Succeeded"
  std::string phase(const std::string& phase) const;
  std::string bold(const std::string& text) const;
  std::string dim(const std::string& text) const;
  std::string red(const std::string& text) const;
  std::string yellow(const std::string& text) const;
  const char* branch(bool last) const;
  const char* trunk(bool last) const;
  const char* dash() const { return unicode ? "–" : "-"; }
};

// "#2ea043": what a phase is painted with in a graph.
std::string fill_of(const std::string& phase);

// In columns of a terminal: escape sequences count nothing, and each character of UTF-8 one.
std::size_t width_of(const std::string& text);
// The first `columns` columns, with "..." if that is not all; escape sequences are closed.
std::string cut_to_width(const std::string& text, std::size_t columns);

// Rows in columns, two spaces apart; columns that are empty in every row are left out.
std::vector<std::string> align(const std::vector<std::vector<std::string>>& rows);

// One line, whatever the text is: control characters become spaces, so that nothing in the API can move the
// cursor of who reads it.
std::string one_line(const std::string& text);

}  // namespace convoke::plugin
