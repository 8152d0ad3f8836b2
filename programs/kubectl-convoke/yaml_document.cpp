#include "programs/kubectl-convoke/yaml_document.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>

#include <yaml-cpp/yaml.h>

#include "programs/kubectl-convoke/json_view.h"

namespace convoke::plugin {
namespace {

// Of all documents of a file: aliases can make a few lines very large.
constexpr std::size_t kMaxNodes = 500'000;
constexpr int kMaxDepth = 200;

struct TooLarge {
  YAML::Mark mark;
};

bool is_one_of(const std::string& text, std::initializer_list<const char*> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::optional<Json> number_of(const std::string& text) {
  std::string digits = text;
  std::erase(digits, '_');
  const bool hexadecimal = digits.starts_with("0x");
  const bool octal =
      !hexadecimal && digits.size() > 1 && digits[0] == '0' && digits.find('.') == std::string::npos;
  std::int64_t integer = 0;
  const char* begin = digits.data() + (hexadecimal || digits.starts_with("0o") ? 2
                                       : digits.starts_with("+")               ? 1
                                                                               : 0);
  const char* end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(begin, end, integer, hexadecimal ? 16 : octal ? 8 : 10);
  if (error == std::errc() && stopped == end && begin != end) return integer;
  const bool looks_like_one = !digits.empty() &&
                              digits.find_first_not_of("+-.0123456789eE") == std::string::npos &&
                              digits.find_first_of("0123456789") != std::string::npos;
  if (!looks_like_one) return std::nullopt;
  double real = 0;
  const char* start = digits.data() + (digits.starts_with("+") ? 1 : 0);
  const auto [stopped_real, real_error] = std::from_chars(start, end, real);
  return real_error == std::errc() && stopped_real == end ? std::optional<Json>(real) : std::nullopt;
}

// YAML 1.1, as kubectl reads it: also `n` is one.
std::optional<bool> bool_of(const std::string& text) {
  if (is_one_of(text, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"})) return true;
  if (is_one_of(text, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"}))
    return false;
  return std::nullopt;
}

bool is_quoted(const YAML::Node& node) {
  return node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str";
}

Json scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (is_quoted(node)) return text;
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return nullptr;
  if (const auto flag = bool_of(text)) return *flag;
  const auto number = number_of(text);
  return number ? *number : Json(text);
}

Position position_of_mark(const YAML::Mark& mark) {
  return {mark.line + 1, mark.column + 1};
}

std::string escaped(std::string key) {
  for (std::size_t at = 0; at < key.size(); ++at) {
    if (key[at] == '~')
      key.replace(at++, 1, "~0");
    else if (key[at] == '/')
      key.replace(at++, 1, "~1");
  }
  return key;
}

class Converter {
 public:
  explicit Converter(std::size_t& nodes) : nodes_(nodes) {}

  YamlDocument convert(const YAML::Node& root) {
    document_.keys[""] = position_of_mark(root.Mark());
    document_.value = value(root, "", 0);
    return std::move(document_);
  }

 private:
  Json value(const YAML::Node& node, const std::string& path, int depth) {
    if (++nodes_ > kMaxNodes || depth > kMaxDepth) throw TooLarge{node.Mark()};
    if (node.IsMap()) return object(node, path, depth);
    if (!node.IsSequence()) return node.IsScalar() ? scalar(node) : Json();
    Json list = Json::array();
    for (const auto& item : node) {
      const auto child = path + "/" + std::to_string(list.size());
      document_.keys[child] = position_of_mark(item.Mark());
      list.push_back(value(item, child, depth + 1));
    }
    return list;
  }

  Json object(const YAML::Node& node, const std::string& path, int depth) {
    Json result = Json::object();
    for (const auto& member : node) {
      const auto position = position_of_mark(member.first.Mark());
      const auto key = key_of(member.first, position);
      if (result.contains(key))
        document_.problems.push_back({position, "the key \"" + key + "\" is there twice"});
      const auto child = path + "/" + escaped(key);
      document_.keys[child] = position;
      result[key] = value(member.second, child, depth + 1);
    }
    return result;
  }

  std::string key_of(const YAML::Node& node, Position position) {
    if (!node.IsScalar()) {
      document_.problems.push_back({position, "a key must be a text"});
      return "";
    }
    const auto flag = is_quoted(node) ? std::nullopt : bool_of(node.Scalar());
    if (!flag) return node.Scalar();
    std::string word = *flag ? "true" : "false";
    document_.problems.push_back(
        {position, "the key " + node.Scalar() + " means \"" + word + "\" in YAML: put it in quotes"});
    return word;
  }

  YamlDocument document_;
  std::size_t& nodes_;
};

bool is_list(const Json& value) {
  return value.is_object() && text_at(value, "/kind") == "List" && value_at(value, "/items").is_array();
}

// Each item with its own positions.
std::vector<YamlDocument> items_of(const YamlDocument& list) {
  std::vector<YamlDocument> items;
  for (std::size_t i = 0; i < list.value["items"].size(); ++i) {
    YamlDocument item;
    item.value = list.value["items"][i];
    const auto prefix = "/items/" + std::to_string(i);
    for (auto at = list.keys.lower_bound(prefix); at != list.keys.end() && at->first.starts_with(prefix);
         ++at) {
      const bool inside = at->first.size() == prefix.size() || at->first[prefix.size()] == '/';
      if (inside) item.keys[at->first.substr(prefix.size())] = at->second;
    }
    if (i == 0) item.problems = list.problems;
    items.push_back(std::move(item));
  }
  return items;
}

Error error_at(const std::string& file, const YAML::Mark& mark, const std::string& message) {
  const auto position = position_of_mark(mark);
  return {ErrorCode::Invalid, file + ":" + std::to_string(position.line) + ":" +
                                  std::to_string(position.column) + ": " + message};
}

}  // namespace

Position YamlDocument::position_of(const std::string& pointer) const {
  for (std::string path = pointer;; path.resize(path.rfind('/'))) {
    if (const auto found = keys.find(path); found != keys.end()) return found->second;
    if (path.empty() || path.rfind('/') == std::string::npos) return {};
  }
}

Result<std::vector<YamlDocument>> parse_yaml(const std::string& text, const std::string& file) {
  std::vector<YamlDocument> documents;
  std::size_t nodes = 0;
  try {
    for (const auto& node : YAML::LoadAll(text)) {
      auto document = Converter(nodes).convert(node);
      if (document.value.is_null()) continue;
      if (!is_list(document.value)) {
        documents.push_back(std::move(document));
        continue;
      }
      auto items = items_of(document);
      std::move(items.begin(), items.end(), std::back_inserter(documents));
    }
  } catch (const YAML::Exception& e) {
    return error_at(file, e.mark, "this is not YAML: " + e.msg);
  } catch (const TooLarge& e) {
    return error_at(file, e.mark, "this is too large or too deep to be a manifest");
  }
  return documents;
}

Result<std::string> read_file(const std::string& file, std::istream& standard_input) {
  if (file == "-") return std::string(std::istreambuf_iterator<char>(standard_input), {});
  std::ifstream in(file, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (!in.is_open() || in.bad())
    return Error{ErrorCode::Invalid, file + " cannot be read: is it there, and may you read it?"};
  return text;
}

}  // namespace convoke::plugin
