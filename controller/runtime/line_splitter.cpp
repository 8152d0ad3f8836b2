#include "controller/runtime/line_splitter.h"

namespace convoke::runtime {

void LineSplitter::push(std::string_view bytes) {
  buffer_.erase(0, begin_);
  scanned_ -= begin_;
  begin_ = 0;
  buffer_.append(bytes);
}

Result<std::optional<std::string_view>> LineSplitter::next() {
  for (;;) {
    const std::size_t end = buffer_.find('\n', scanned_);
    const bool is_complete = end != std::string::npos;
    scanned_ = is_complete ? end : buffer_.size();
    if (scanned_ - begin_ > max_line_bytes_) {
      return too_long();
    }
    if (!is_complete) {
      return std::nullopt;
    }
    std::string_view line(buffer_.data() + begin_, end - begin_);
    begin_ = scanned_ = end + 1;
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (!line.empty()) {
      return line;
    }
  }
}

Error LineSplitter::too_long() const {
  return {ErrorCode::Invalid, "a line of the stream is longer than " + std::to_string(max_line_bytes_) +
                                  " bytes, which no object of an API server is"};
}

}  // namespace convoke::runtime
