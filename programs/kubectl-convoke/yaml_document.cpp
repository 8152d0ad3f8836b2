#include "programs/kubectl-convoke/yaml_document.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>

#include <yaml-cpp/yaml.h>

#include "controller/base/yaml.h"
#include "programs/kubectl-convoke/json_view.h"
#include "programs/kubectl-convoke/text_check.h"

namespace convoke::plugin {
namespace {

// Of the paths and texts: each node has its whole path, however long the keys that lead to it.
constexpr std::size_t kMaxBytes = 64 * 1024 * 1024;
constexpr int kMaxYamlDepth = 200;

// What a file has used of these bounds.
struct Used {
  std::size_t nodes = 0;
  std::size_t bytes = 0;
};

struct TooDeep {
  YAML::Mark mark;
};
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
  if (real_error != std::errc() || stopped_real != end) return std::nullopt;
  // "3.0" is sent as 3.
  constexpr double kExactly = 1LL << 53;
  const bool whole = std::abs(real) <= kExactly && std::trunc(real) == real;
  return std::make_optional<Json>(whole ? Json(static_cast<std::int64_t>(real)) : Json(real));
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

bool is_merge_key(const YAML::Node& key) {
  return key.IsScalar() && key.Scalar() == "<<" && !is_quoted(key);
}

class Converter {
 public:
  Converter(Used& used, std::size_t max_nodes) : used_(used), max_nodes_(max_nodes) {}

  YamlDocument convert(const YAML::Node& root) {
    document_.keys[""] = position_of_mark(root.Mark());
    document_.value = value(root, "", 0);
    return std::move(document_);
  }

 private:
  void count(const YAML::Node& node, int depth) {
    if (depth > kMaxYamlDepth) throw TooDeep{node.Mark()};
    if (++used_.nodes > max_nodes_) throw TooLarge{node.Mark()};
  }

  void charge(const YAML::Node& node, std::size_t bytes) {
    used_.bytes += bytes;
    if (used_.bytes > kMaxBytes) throw TooLarge{node.Mark()};
  }

  Json value(const YAML::Node& node, const std::string& path, int depth) {
    count(node, depth);
    charge(node, path.size() + (node.IsScalar() ? node.Scalar().size() : 0));
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
    add_members(result, node, path, depth);
    for (const auto& member : node) {
      if (is_merge_key(member.first)) merge(result, member.second, path, depth + 1);
    }
    return result;
  }

  void add_members(Json& result, const YAML::Node& node, const std::string& path, int depth) {
    std::set<std::string> seen;
    for (const auto& member : node) {
      if (is_merge_key(member.first)) continue;
      const auto position = position_of_mark(member.first.Mark());
      const auto key = key_of(member.first, position);
      if (!key) {
        count(member.first, depth);
        continue;
      }
      if (!seen.insert(*key).second)
        document_.problems.push_back({position, "the key \"" + *key + "\" is there twice"});
      add_member(result, *key, member.second, path, position, depth);
    }
  }

  void add_member(Json& result, const std::string& key, const YAML::Node& node, const std::string& path,
                  Position position, int depth) {
    const auto child = path + "/" + escaped(key);
    document_.keys[child] = position;
    result[key] = value(node, child, depth + 1);
  }

  // A map, or a list of maps of which the earlier count more. What is there already stays.
  void merge(Json& result, const YAML::Node& source, const std::string& path, int depth) {
    count(source, depth);
    if (source.IsMap()) return merge_map(result, source, path, depth);
    if (!is_list_of_maps(source, depth)) {
      document_.problems.push_back(
          {position_of_mark(source.Mark()), "only a map, or a list of maps, can be merged with \"<<\""});
      return;
    }
    for (const auto& item : source) merge_map(result, item, path, depth);
  }

  bool is_list_of_maps(const YAML::Node& source, int depth) {
    bool maps = source.IsSequence();
    for (const auto& item : source) {
      count(item, depth);
      maps = maps && item.IsMap();
    }
    return maps;
  }

  // What is looked at counts, also where nothing comes of it: aliases let the same be merged again and again.
  void merge_map(Json& result, const YAML::Node& source, const std::string& path, int depth) {
    for (const auto& member : source) {
      if (is_merge_key(member.first)) continue;
      const auto position = position_of_mark(member.first.Mark());
      const auto key = key_of(member.first, position);
      if (key && !result.contains(*key)) {
        add_member(result, *key, member.second, path, position, depth);
      } else {
        count(member.first, depth);
      }
    }
    for (const auto& member : source) {
      if (is_merge_key(member.first)) merge(result, member.second, path, depth + 1);
    }
  }

  // Nothing: it can be none.
  std::optional<std::string> key_of(const YAML::Node& node, Position position) {
    if (!node.IsScalar()) {
      document_.problems.push_back({position, "a key must be a text"});
      return std::nullopt;
    }
    const auto flag = is_quoted(node) ? std::nullopt : bool_of(node.Scalar());
    if (!flag) return node.Scalar();
    std::string word = *flag ? "true" : "false";
    document_.problems.push_back(
        {position, "the key " + node.Scalar() + " means \"" + word + "\" in YAML: put it in quotes"});
    return word;
  }

  YamlDocument document_;
  Used& used_;
  const std::size_t max_nodes_;
};

// "List", and "WorkflowList" as `kubectl get -o yaml` of older versions gives it.
bool is_list(const Json& value) {
  return value.is_object() && text_at(value, "/kind").ends_with("List") &&
         value_at(value, "/items").is_array();
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

// Reads documents one after the other; those of one file share the bound of all nodes.
class Reader {
 public:
  explicit Reader(std::size_t max_nodes) : max_nodes_(max_nodes) {}

  YamlFile file;

  // False: `text` is no YAML; then nothing of it was taken.
  bool read(const std::string& text, int lines_before) {
    try {
      for (const auto& node : load_yaml_documents(text)) add(node, lines_before);
      return true;
    } catch (const YAML::Exception& e) {
      problem_ = {position_of_mark(e.mark), "this is not YAML: " + as_utf8(e.msg)};
      problem_.position.line += lines_before;
      return false;
    }
  }

  // Each document by itself, as `kubectl` reads them: a line that begins with `---` ends one.
  void read_each(const std::string& text) {
    std::string document;
    int lines = 0;
    int begin = 0;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line); ++lines) {
      if (is_marker(line)) {
        read_one(document, begin);
        document.clear();
        begin = lines;
      }
      document += line + "\n";
    }
    read_one(document, begin);
  }

 private:
  static bool is_marker(const std::string& line) {
    return line.starts_with("---") &&
           (line.size() == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r');
  }

  void read_one(const std::string& text, int lines_before) {
    if (!read(text, lines_before)) file.problems.push_back(problem_);
  }

  void add(const YAML::Node& node, int lines_before) {
    if (full_) return;
    try {
      add(Converter(used_, max_nodes_).convert(node), lines_before);
    } catch (const TooDeep& e) {
      add_problem(e.mark, lines_before);
    } catch (const TooLarge& e) {
      add_problem(e.mark, lines_before);
      full_ = true;
    }
  }

  void add(YamlDocument document, int lines_before) {
    if (document.value.is_null()) return;
    for (auto& [pointer, position] : document.keys) position.line += lines_before;
    for (auto& problem : document.problems) problem.position.line += lines_before;
    if (!is_list(document.value)) {
      file.documents.push_back(std::move(document));
      return;
    }
    auto items = items_of(document);
    std::move(items.begin(), items.end(), std::back_inserter(file.documents));
  }

  void add_problem(const YAML::Mark& mark, int lines_before) {
    auto position = position_of_mark(mark);
    position.line += lines_before;
    file.problems.push_back({position, "this is too large or too deep to be a manifest"});
  }

  const std::size_t max_nodes_;
  Used used_;
  bool full_ = false;
  YamlProblem problem_;
};

bool is_json(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != std::string::npos && text[first] == '{';
}

Error unreadable(const std::string& file, const std::string& why) {
  return {ErrorCode::Invalid, as_utf8(file) + why};
}

Result<std::string> read_stream(std::istream& in, const std::string& file) {
  std::ostringstream text;
  try {
    // An empty stream fails to be copied, which is no failure of its own.
    if (in.peek() != std::istream::traits_type::eof()) text << in.rdbuf();
  } catch (const std::ios_base::failure&) {
    return unreadable(file, " cannot be read");
  }
  if (in.bad() || !text) return unreadable(file, " cannot be read");
  return text.str();
}

}  // namespace

Position YamlDocument::position_of(const std::string& pointer) const {
  for (std::string path = pointer;; path.resize(path.rfind('/'))) {
    if (const auto found = keys.find(path); found != keys.end()) return found->second;
    if (path.empty() || path.rfind('/') == std::string::npos) return {};
  }
}

YamlFile read_yaml(const std::string& source, std::size_t max_nodes) {
  if (const auto problem = find_text_problem(source))
    return {{}, {{{problem->line, problem->column}, problem->message}}};
  const auto text = is_json(source) ? join_surrogates(source) : source;
  Reader whole(max_nodes);
  if (whole.read(text, 0)) return std::move(whole.file);
  Reader parts(max_nodes);
  parts.read_each(text);
  return std::move(parts.file);
}

Result<std::vector<YamlDocument>> parse_yaml(const std::string& text, const std::string& file) {
  auto read = read_yaml(text);
  if (read.problems.empty()) return std::move(read.documents);
  const auto& [position, message] = read.problems.front();
  return Error{ErrorCode::Invalid, as_utf8(file) + ":" + std::to_string(position.line) + ":" +
                                       std::to_string(position.column) + ": " + message};
}

Result<std::string> read_file(const std::string& file, std::istream& standard_input) {
  if (file == "-") return read_stream(standard_input, "standard input");
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) return unreadable(file, " is a folder");
  std::ifstream in(file, std::ios::binary);
  if (!in.is_open()) return unreadable(file, " cannot be read: is it there, and may you read it?");
  return read_stream(in, file);
}

}  // namespace convoke::plugin
