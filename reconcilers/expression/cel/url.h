// URLs as a server reads them: absolute ("https://host:80/path?a=b"), or a path that starts with "/". Pure
// functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace convoke::cel {

struct Url {
  std::string text;
  std::string scheme;  // lower case
  std::string host;    // with brackets and port
  std::string hostname;
  std::string port;
  std::string escaped_path;
  std::map<std::string, std::vector<std::string>> query;

  bool operator==(const Url& other) const { return text == other.text; }
};

std::optional<Url> parse_url(std::string_view text);

}  // namespace convoke::cel
