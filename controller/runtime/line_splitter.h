// Cuts a byte stream that arrives in pieces into lines: a watch body is one JSON object a line, split
// anywhere.
//
//   splitter.push(bytes);
//   for (auto line = splitter.next(); line && *line; line = splitter.next()) parse(**line);
//
// Memory is bounded by the longest allowed line and one piece, as long as every push() is followed by next()
// until there is no more. A last line without its end is never given out: it was cut off. Thread safety:
// none. Errors: Invalid for a line that is too long, complete or not; the splitter is of no use then.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "controller/base/result.h"

namespace convoke::runtime {

class LineSplitter {
 public:
  // Far above what an API server stores in one object (1.5 MiB in etcd).
  static constexpr std::size_t kDefaultMaxLineBytes = std::size_t{16} * 1024 * 1024;

  explicit LineSplitter(std::size_t max_line_bytes = kDefaultMaxLineBytes)
      : max_line_bytes_(max_line_bytes) {}

  void push(std::string_view bytes);
  // The next complete line without its end ("\n" or "\r\n"), never an empty one; valid until the next push().
  Result<std::optional<std::string_view>> next();

 private:
  Error too_long() const;

  std::size_t max_line_bytes_;
  std::string buffer_;
  std::size_t begin_ = 0;    // of the first line that was not given out
  std::size_t scanned_ = 0;  // there is no line end between begin_ and here
};

}  // namespace convoke::runtime
