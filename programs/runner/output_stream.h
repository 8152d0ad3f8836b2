// One of a command's two output streams: keeps its end, and hands its lines on as they come.
//
// Not thread-safe: belongs to the thread that supervises the command.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "programs/runner/fd.h"
#include "programs/runner/tail_buffer.h"

namespace convoke::runner {

class OutputStream {
 public:
  using LineHandler = std::function<void(std::string_view line)>;

  OutputStream(Fd fd, std::size_t tail_bytes, LineHandler on_line);

  int fd() const { return fd_.get(); }
  // One read of what is there; closes the stream at its end. False if there was nothing.
  bool read_some();
  // What is left, but not more than a pipe holds: a stranger that inherited the pipe may write for ever.
  void finish();
  std::string tail() const { return tail_.text(); }

 private:
  void split(std::string_view bytes);
  void give_line();

  Fd fd_;
  TailBuffer tail_;
  LineHandler on_line_;
  std::string line_;
};

}  // namespace convoke::runner
