#include "controller/kube/base64.h"

#include <gtest/gtest.h>

namespace convoke::kube {
namespace {

TEST(Base64, RefusesWhatItIsNot) {
  for (const char* text : {"a", "abc", "####", "YQ=a"}) EXPECT_FALSE(base64_decode(text)) << text;
}

TEST(Base64, ReadsAndWritesEveryLength) {
  std::string bytes;
  for (int i = 0; i < 260; ++i) {
    EXPECT_EQ(*base64_decode(base64_encode(bytes)), bytes);
    bytes += static_cast<char>(i);
  }
  EXPECT_EQ(base64_encode("user:pass"), "dXNlcjpwYXNz");
  EXPECT_EQ(*base64_decode("dXNl\ncjpw\nYXNz\n"), "user:pass");
}

}  // namespace
}  // namespace convoke::kube
