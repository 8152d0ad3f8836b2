#include "controller/base/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke {
namespace {

std::size_t count(const std::string& text) {
  return load_yaml_documents(text).size();
}

TEST(Yaml, HasAsManyDocumentsAsTheTextSays) {
  EXPECT_EQ(count(""), 0);
  EXPECT_EQ(count("# nothing\n"), 0);
  EXPECT_EQ(count("a: b\n"), 1);
  EXPECT_EQ(count("---\n---\n"), 2);
  EXPECT_EQ(count("a: b\n---\n- c\n...\n---\n\"d\"\n"), 3);
  EXPECT_EQ(load_yaml_documents("a: b\n---\nc: d\n")[1]["c"].Scalar(), "d");
}

TEST(Yaml, ReadingEndsWhateverTheTextBeginsWith) {
  for (const char* text : {",", "\n ,", ",a: b", "---\n,", "a: b\n...\n,", "&a ,", "!t ,", "|\n,", "[a],b"}) {
    try {
      load_yaml_documents(text);
      ADD_FAILURE() << text;
    } catch (const YAML::Exception& error) {
      EXPECT_GE(error.mark.line, 0) << text;
    }
  }
}

// All texts of a few tokens: each is read or refused.
TEST(Yaml, ReadingEndsForEveryShortText) {
  const std::vector<std::string> tokens = {"a",   ": ", "\n", "- ",  ",",     "[",     "]",
                                           "{",   "}",  "? ", "# ",  "---\n", "...\n", "%YAML 1.2\n",
                                           "&a ", "*a", "!t", "|\n", "\"",    "'"};
  constexpr int kTokens = 3;
  int texts = 1;
  for (int i = 0; i < kTokens; ++i) texts *= static_cast<int>(tokens.size());
  int read = 0;
  for (int n = 0; n < texts; ++n) {
    std::string text;
    for (int i = 0, rest = n; i < kTokens; ++i, rest /= static_cast<int>(tokens.size()))
      text += tokens[static_cast<std::size_t>(rest) % tokens.size()];
    try {
      load_yaml_documents(text);
      ++read;
    } catch (const YAML::Exception&) {
    }
  }
  EXPECT_GT(read, 0);
  EXPECT_LT(read, texts);
}

}  // namespace
}  // namespace convoke
