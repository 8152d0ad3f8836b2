#include "programs/operator/config_yaml.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include <yaml-cpp/yaml.h>

#include "controller/base/similar_word.h"
#include "controller/base/yaml.h"
#include "controller/kube/json.h"

namespace convoke::programs {

namespace {

constexpr char kHead[] =
    "# Configuration of convoke-operator. Each key may be left out, and is a flag too, which wins over this "
    "file:\n"
    "# --workers-task for workers.task. `convoke-operator --print-config` prints what is in effect.\n"
    "# \"Hot\": a running operator follows a change of this file, within seconds or on SIGHUP. \"Restart\": "
    "it "
    "says that it\n"
    "# needs a restart, and keeps the former value until then.\n";

std::string last_word(const std::string& path) {
  return path.substr(path.rfind('.') + 1);
}

// A list as JSON text. All scalars become texts; what is too deep or too large for any list that the
// configuration has gives nothing.
class ListText {
 public:
  static std::optional<std::string> of(const YAML::Node& node) {
    ListText reader;
    const Json json = reader.read(node, 0);
    return reader.too_large_ ? std::nullopt : std::optional(dump_json(json));
  }

 private:
  static constexpr int kMaxDepth = 4;
  static constexpr int kMaxNodes = 20'000;

  Json read(const YAML::Node& node, int depth) {
    too_large_ = too_large_ || depth > kMaxDepth || ++nodes_ > kMaxNodes;
    if (too_large_ || node.IsNull()) return nullptr;
    if (node.IsScalar()) return node.Scalar();
    Json json = node.IsMap() ? Json::object() : Json::array();
    for (const auto& item : node) {
      if (too_large_) break;
      if (!node.IsMap()) {
        json.push_back(read(item, depth + 1));
      } else {
        json[item.first.IsScalar() ? item.first.Scalar() : "?"] = read(item.second, depth + 1);
      }
    }
    return json;
  }

  int nodes_ = 0;
  bool too_large_ = false;
};

class YamlReader {
 public:
  YamlReader(Settings& settings, std::string file) : settings_(settings), file_(std::move(file)) {}

  std::vector<std::string> read(const std::string& text) {
    try {
      read_documents(load_yaml_documents(text));
    } catch (const YAML::Exception& error) {
      mistakes_.push_back(where(error.mark) + ": this is not YAML: " + error.msg);
    }
    return std::move(mistakes_);
  }

 private:
  void read_documents(const std::vector<YAML::Node>& documents) {
    if (documents.size() > 1) return mistakes_.push_back(file_ + ": more than one YAML document");
    if (documents.empty() || documents.front().IsNull()) return;
    if (!documents.front().IsMap())
      return mistake(documents.front(), "", "the configuration is not a map of keys");
    read_map(documents.front(), "");
  }

  void read_map(const YAML::Node& map, const std::string& prefix) {
    std::set<std::string> seen;
    for (const auto& item : map) {
      const std::string path = prefix + (item.first.IsScalar() ? item.first.Scalar() : "?");
      if (!seen.insert(path).second) {
        mistake(item.first, path, "is there twice");
      } else if (const auto setting = find(path); setting != settings_.end()) {
        read_value(item.second, *setting);
      } else if (known_below(path + ".").empty()) {
        mistake(item.first, path, "there is no such key; " + hint(path, prefix));
      } else if (item.second.IsMap()) {
        read_map(item.second, path + ".");
      } else if (!item.second.IsNull()) {
        mistake(item.second, path, "is not a map of keys; known here: " + joined(known_below(path + ".")));
      }
    }
  }

  void read_value(const YAML::Node& node, Setting& setting) {
    if (setting.is_list && node.IsSequence()) return read_list(node, setting);
    if (setting.is_map && node.IsMap()) {
      const Status status = setting.set(text_of_map(node));
      if (!status) return mistake(node, setting.path, status.error().message);
      setting.source = file_ + ':' + std::to_string(node.Mark().line + 1);
      return;
    }
    if (!node.IsScalar() && !node.IsNull()) {
      return mistake(
          node, setting.path,
          "is not a single value but should be " + (setting.range.empty() ? "one" : setting.range));
    }
    const Status status = setting.set(node.IsNull() ? "" : node.Scalar());
    if (!status) return mistake(node, setting.path, status.error().message);
    setting.source = file_ + ':' + std::to_string(node.Mark().line + 1);
  }

  void read_list(const YAML::Node& node, Setting& setting) {
    const auto text = ListText::of(node);
    if (!text) return mistake(node, setting.path, "is too deep or too large; it should be " + setting.range);
    if (const Status status = setting.set(*text); !status) {
      std::istringstream lines(status.error().message);
      for (std::string line; std::getline(lines, line);) list_mistake(node, setting.path, line);
    }
    setting.source = file_ + ':' + std::to_string(node.Mark().line + 1);
  }

  // At the item that a message begins with: "[2].expression: ...".
  void list_mistake(const YAML::Node& list, const std::string& path, const std::string& message) {
    std::size_t index = list.size();
    if (message.starts_with('[')) std::from_chars(message.data() + 1, message.data() + message.size(), index);
    if (index >= list.size()) return mistake(list, path, message);
    mistakes_.push_back(where(list[index].Mark()) + ": " + path + message);
  }

  // What is no single value becomes a text that no setting takes.
  static std::string text_of_map(const YAML::Node& map) {
    const auto text = [](const YAML::Node& node) { return node.IsScalar() ? node.Scalar() : std::string(); };
    std::string joined;
    for (const auto& item : map) {
      joined += (joined.empty() ? "" : ",") + text(item.first) + "=" + text(item.second);
    }
    return joined;
  }

  Settings::iterator find(const std::string& path) {
    return std::find_if(settings_.begin(), settings_.end(), [&](const Setting& s) { return s.path == path; });
  }

  // What may have been meant by a path that does not exist: a neighbour, or a key of that name elsewhere.
  std::string hint(const std::string& path, const std::string& prefix) const {
    const auto known = known_below(prefix);
    std::string meant = most_similar(path.substr(prefix.size()), known);
    if (!meant.empty()) {
      meant = prefix + meant;
    } else {
      const std::string word = last_word(path);
      const auto namesake = std::find_if(settings_.begin(), settings_.end(),
                                         [&](const Setting& s) { return last_word(s.path) == word; });
      if (namesake != settings_.end()) meant = namesake->path;
    }
    return (meant.empty() ? "" : "did you mean " + meant + "? ") + "known here: " + joined(known);
  }

  // The keys directly below a prefix.
  std::vector<std::string> known_below(const std::string& prefix) const {
    std::vector<std::string> keys;
    for (const auto& setting : settings_) {
      if (!setting.path.starts_with(prefix)) continue;
      const std::string rest = setting.path.substr(prefix.size());
      const std::string key = rest.substr(0, rest.find('.'));
      if (keys.empty() || key != keys.back()) keys.push_back(key);
    }
    return keys;
  }

  static std::string joined(const std::vector<std::string>& words) {
    std::string list;
    for (const auto& word : words) list += (list.empty() ? "" : ", ") + word;
    return list;
  }

  std::string where(const YAML::Mark& mark) const {
    if (mark.is_null()) return file_;
    return file_ + ':' + std::to_string(mark.line + 1) + ':' + std::to_string(mark.column + 1);
  }

  void mistake(const YAML::Node& node, const std::string& path, const std::string& message) {
    mistakes_.push_back(where(node.Mark()) + ": " + (path.empty() ? "" : path + ": ") + message);
  }

  Settings& settings_;
  const std::string file_;
  std::vector<std::string> mistakes_;
};

// On one line, in quotes if it needs them.
std::string scalar(const std::string& text) {
  YAML::Emitter out;
  out << YAML::Flow << text;
  return out.c_str();
}

// JSON is YAML too.
std::string value_of(const Setting& setting) {
  return setting.is_list ? setting.get() : scalar(setting.get());
}

std::string comment(const Setting& setting, const std::string& indent) {
  std::string range = setting.range;
  if (!range.empty()) range[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(range[0])));
  return indent + "# " + setting.help + ".\n" + indent + "# " + range +
         ". Default: " + (setting.standard.empty() ? "empty" : setting.standard) + ". " +
         (setting.reload == Reload::Hot ? "Hot" : "Restart") + ".\n";
}

}  // namespace

std::vector<std::string> read_yaml(Settings& settings, const std::string& text, const std::string& file) {
  return YamlReader(settings, file).read(text);
}

std::string print_settings(const Settings& settings) {
  std::string out = kHead;
  std::string open_section;
  for (const auto& setting : settings) {
    const auto dot = setting.path.find('.');
    const std::string section = dot == std::string::npos ? "" : setting.path.substr(0, dot);
    if (section.empty() || section != open_section) out += '\n';
    if (section != open_section && !section.empty()) out += section + ":\n";
    open_section = section;
    const std::string indent = section.empty() ? "" : "  ";
    out += comment(setting, indent) + indent + last_word(setting.path) + ": " + value_of(setting) + '\n';
  }
  return out;
}

}  // namespace convoke::programs
