#include "programs/kubectl-convoke/field_path.h"

#include <algorithm>

#include "programs/kubectl-convoke/json_view.h"

namespace convoke::plugin {
namespace {

constexpr std::size_t kMaxPlaces = 100;

std::string unescaped(std::string token) {
  for (const auto& [what, by] : {std::pair{"~1", "/"}, {"~0", "~"}}) {
    for (auto at = token.find(what); at != std::string::npos; at = token.find(what, at + 1))
      token.replace(at, 2, by);
  }
  return token;
}

// What stands below `value`; null: nothing.
const Json* below(const Json* value, const std::string& key) {
  if (value == nullptr) return nullptr;
  if (value->is_object()) {
    const auto found = value->find(key);
    return found == value->end() ? nullptr : &*found;
  }
  const bool number =
      !key.empty() && key.size() < 10 && key.find_first_not_of("0123456789") == std::string::npos;
  const auto i = number && value->is_array() ? std::stoul(key) : 0;
  return number && value->is_array() && i < value->size() ? &(*value)[i] : nullptr;
}

std::string name_of_item(const Json& item) {
  const Json* name = below(&item, "name");
  return name != nullptr && name->is_string() ? name->get<std::string>() : "";
}

// How an item is called; its number, unless it has a name of its own.
std::string called(const Json* list, const std::string& number) {
  const Json* item = list != nullptr && list->is_array() ? below(list, number) : nullptr;
  const auto name = item == nullptr ? "" : name_of_item(*item);
  const bool plain = !name.empty() && name.size() <= 63 && name.find_first_of("[]") == std::string::npos;
  if (!plain) return number;
  const auto same = std::count_if(list->begin(), list->end(),
                                  [&](const Json& other) { return name_of_item(other) == name; });
  return same == 1 ? name : number;
}

struct Token {
  std::string text;
  bool is_item = false;
};

std::vector<Token> tokens_of(const std::string& field) {
  std::vector<Token> tokens;
  for (std::size_t begin = 0; begin < field.size();) {
    const bool bracket = field[begin] == '[';
    const auto end =
        std::min(bracket ? field.find(']', begin) : field.find_first_of(".[", begin), field.size());
    begin += bracket ? 1 : 0;
    tokens.push_back({field.substr(begin, end - begin), bracket});
    begin = end + (bracket ? 1 : 0);
    if (begin < field.size() && field[begin] == '.') ++begin;
  }
  return tokens;
}

struct Place {
  std::string pointer;
  const Json* value;
};

// Where the token leads to from there.
std::vector<Place> steps_to(const Place& from, const Token& token) {
  std::vector<Place> places;
  if (token.is_item && from.value->is_array()) {
    for (std::size_t i = 0; i < from.value->size(); ++i) {
      const Json& item = (*from.value)[i];
      if (name_of_item(item) == token.text) places.push_back({from.pointer + "/" + std::to_string(i), &item});
    }
    if (!places.empty()) return places;
  }
  const Json* value = below(from.value, token.text);
  if (value != nullptr && !value->is_null())
    places.push_back({from.pointer + "/" + escaped_token(token.text), value});
  return places;
}

}  // namespace

std::string escaped_token(std::string key) {
  for (std::size_t at = 0; at < key.size(); ++at) {
    if (key[at] == '~') {
      key.replace(at++, 1, "~0");
    } else if (key[at] == '/') {
      key.replace(at++, 1, "~1");
    }
  }
  return key;
}

std::string field_of(const Json& object, const std::string& pointer) {
  std::string field;
  const Json* value = &object;
  for (std::size_t at = 0; at < pointer.size();) {
    const auto end = std::min(pointer.find('/', at + 1), pointer.size());
    const auto token = unescaped(pointer.substr(at + 1, end - at - 1));
    field += value != nullptr && value->is_array() ? "[" + called(value, token) + "]"
                                                   : (field.empty() ? "" : ".") + token;
    value = below(value, token);
    at = end;
  }
  return field;
}

std::string pointer_of(const Json& object, const std::string& field) {
  return pointers_of(object, field).front();
}

std::vector<std::string> pointers_of(const Json& object, const std::string& field) {
  std::vector<Place> places = {{"", &object}};
  for (const auto& token : tokens_of(field)) {
    std::vector<Place> next;
    for (const auto& place : places) {
      for (auto& one : steps_to(place, token)) {
        if (next.size() < kMaxPlaces) next.push_back(std::move(one));
      }
    }
    if (next.empty()) break;
    places = std::move(next);
  }
  std::vector<std::string> pointers;
  pointers.reserve(places.size());
  for (auto& place : places) pointers.push_back(std::move(place.pointer));
  return pointers;
}

}  // namespace convoke::plugin
