#include "tests/fakes/api_request.h"

#include <cctype>
#include <string_view>
#include <vector>

namespace convoke::fakes {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto end = text.find(separator);
    if (end != 0) {
      parts.push_back(text.substr(0, end));
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

std::string decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escape = text[i] == '%' && i + 2 < text.size() &&
                           std::isxdigit(static_cast<unsigned char>(text[i + 1])) != 0 &&
                           std::isxdigit(static_cast<unsigned char>(text[i + 2])) != 0;
    if (is_escape) {
      decoded += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      decoded += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

std::map<std::string, std::string> parse_query(std::string_view text) {
  std::map<std::string, std::string> query;
  for (const auto pair : split(text, '&')) {
    const auto equals = pair.find('=');
    const auto value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    query[decode(pair.substr(0, equals), true)] = decode(value, true);
  }
  return query;
}

// What follows the version: [namespaces/<ns>/]<plural>[/<name>[/<subresource>]]
void parse_resource(ApiPath& result, std::vector<std::string> parts) {
  const bool is_namespaced = parts.size() >= 3 && parts[0] == "namespaces" && parts[2] != "status";
  if (is_namespaced) {
    result.namespace_ = parts[1];
    parts.erase(parts.begin(), parts.begin() + 2);
  }
  if (parts.empty() || parts.size() > 3) {
    return;
  }
  parts.resize(3);
  result.plural = parts[0];
  result.name = parts[1];
  result.subresource = parts[2];
  result.is_resource = true;
}

}  // namespace

const std::string& ApiPath::parameter(const std::string& parameter_name) const {
  static const std::string kAbsent;
  const auto found = query.find(parameter_name);
  return found == query.end() ? kAbsent : found->second;
}

bool ApiPath::flag(const std::string& parameter_name) const {
  const std::string& value = parameter(parameter_name);
  return value == "true" || value == "1";
}

ApiPath parse_path(const std::string& path_and_query) {
  ApiPath result;
  const auto question_mark = path_and_query.find('?');
  result.path = path_and_query.substr(0, question_mark);
  if (question_mark != std::string::npos) {
    result.query = parse_query(std::string_view(path_and_query).substr(question_mark + 1));
  }
  std::vector<std::string> parts;
  for (const auto part : split(result.path, '/')) {
    parts.push_back(decode(part, false));
  }
  if (parts.size() >= 3 && parts[0] == "api") {
    result.version = parts[1];
    parse_resource(result, {parts.begin() + 2, parts.end()});
  } else if (parts.size() >= 4 && parts[0] == "apis") {
    result.group = parts[1];
    result.version = parts[2];
    parse_resource(result, {parts.begin() + 3, parts.end()});
  }
  return result;
}

}  // namespace convoke::fakes
