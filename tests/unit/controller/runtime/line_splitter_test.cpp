#include "controller/runtime/line_splitter.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> drain(LineSplitter& splitter) {
  std::vector<std::string> lines;
  for (auto line = splitter.next(); line && *line; line = splitter.next()) {
    lines.emplace_back(**line);
  }
  return lines;
}

TEST(LineSplitter, ALineThatIsTooLongIsAClearError) {
  for (const char* text : {"123456789", "123456789\n", "1\n123456789\n"}) {
    LineSplitter splitter(8);
    splitter.push(text);
    drain(splitter);
    const auto line = splitter.next();
    ASSERT_FALSE(line) << text;
    EXPECT_EQ(line.error().code, ErrorCode::Invalid);
    EXPECT_THAT(line.error().message, HasSubstr("longer than 8 bytes"));
  }
}

TEST(LineSplitter, ALineThatGrowsTooLongInPiecesIsAnError) {
  LineSplitter splitter(8);
  splitter.push("12345678");
  EXPECT_TRUE(splitter.next());
  splitter.push("9");
  EXPECT_FALSE(splitter.next());
}

TEST(LineSplitter, ALineThatWasCutOffIsNeverGivenOut) {
  LineSplitter splitter;
  splitter.push("one\ntw");
  EXPECT_THAT(drain(splitter), ElementsAre("one"));
  EXPECT_THAT(drain(splitter), IsEmpty());
}

TEST(LineSplitter, EmptyLinesAreSkippedAndCarriageReturnsDropped) {
  LineSplitter splitter;
  splitter.push("\n\r\none\r\n\ntwo\n");
  EXPECT_THAT(drain(splitter), ElementsAre("one", "two"));
}

TEST(LineSplitter, ManyLinesInOnePieceComeInOrder) {
  LineSplitter splitter(3);
  splitter.push("one\ntwo\n333\n4");
  EXPECT_THAT(drain(splitter), ElementsAre("one", "two", "333"));
  splitter.push("44\n");
  EXPECT_THAT(drain(splitter), ElementsAre("444"));
}

TEST(LineSplitter, TheLinesAreTheSameWhereverTheStreamIsCut) {
  const std::string text = "{\"a\":1}\n{\"b\":\"x y\"}\r\n\n{}\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    LineSplitter splitter;
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      splitter.push(std::string_view(text).substr(at, piece));
      for (std::string& line : drain(splitter)) {
        lines.push_back(std::move(line));
      }
    }
    EXPECT_THAT(lines, ElementsAre("{\"a\":1}", "{\"b\":\"x y\"}", "{}")) << "pieces of " << piece;
  }
}

}  // namespace
}  // namespace convoke::runtime
