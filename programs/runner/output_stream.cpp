#include "programs/runner/output_stream.h"

namespace convoke::runner {

namespace {

constexpr std::size_t kReadBytes = 16384;
constexpr std::size_t kMaxPipeBytes = std::size_t{1024} * 1024;  // Linux' limit for users
constexpr std::size_t kMaxLineBytes = 4096;                      // longer ones are given in pieces

}  // namespace

OutputStream::OutputStream(Fd fd, std::size_t tail_bytes, LineHandler on_line)
    : fd_(std::move(fd)), tail_(tail_bytes), on_line_(std::move(on_line)) {
  fd_.set_non_blocking();
}

bool OutputStream::read_some() {
  if (!fd_.is_open()) return false;
  std::array<char, kReadBytes> buffer{};
  const auto got = ::read(fd_.get(), buffer.data(), buffer.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) {
    fd_.reset();
    return false;
  }
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
  tail_.append(bytes);
  split(bytes);
  return true;
}

void OutputStream::finish() {
  for (std::size_t i = 0; i < kMaxPipeBytes / kReadBytes && read_some(); ++i) {
  }
  if (!line_.empty()) give_line();
  fd_.reset();
}

void OutputStream::split(std::string_view bytes) {
  for (const char c : bytes) {
    if (c == '\n') {
      give_line();
      continue;
    }
    line_ += c;
    if (line_.size() >= kMaxLineBytes) give_line();
  }
}

void OutputStream::give_line() {
  on_line_(line_);
  line_.clear();
}

}  // namespace convoke::runner
