// The bytes of a watch, cut anywhere. The first byte says how large the pieces are.

#include <vector>

#include "controller/runtime/line_splitter.h"
#include "controller/runtime/watch_machine.h"
#include "tests/fuzz/check.h"

namespace convoke::fuzz {
namespace {

constexpr std::size_t kMaxLineBytes = 4096;

std::vector<std::string> lines_of(std::string_view bytes, std::size_t piece) {
  runtime::LineSplitter splitter(kMaxLineBytes);
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    splitter.push(bytes.substr(at, piece));
    while (true) {
      const auto line = splitter.next();
      if (!line) return lines;
      if (!*line) break;
      lines.emplace_back(**line);
    }
  }
  return lines;
}

void feed(const std::vector<std::string>& lines) {
  namespace watch = runtime::watch;
  auto state = watch::step({}, watch::Started{}).state;
  state = watch::step(std::move(state), watch::WatchOpened{}).state;
  for (const auto& line : lines) {
    auto event = watch::parse_event(line);
    if (!event) {
      state = watch::step(std::move(state), watch::WatchEnded{std::chrono::seconds(1), event.error()}).state;
      state = watch::step(std::move(state), watch::WatchOpened{}).state;
      continue;
    }
    state = watch::step(std::move(state), std::move(*event)).state;
  }
  (void)watch::step(std::move(state), watch::WatchEnded{std::chrono::seconds(1)});
}

}  // namespace
}  // namespace convoke::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convoke;
  if (size < 1) return 0;
  const auto bytes = fuzz::as_text(data + 1, size - 1);
  const auto lines = fuzz::lines_of(bytes, std::size_t{data[0]} + 1);
  fuzz::check(lines == fuzz::lines_of(bytes, 1), "lines do not depend on how the bytes arrive");
  fuzz::feed(lines);
  return 0;
}
