#include "reconcilers/api/field_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "controller/base/time_format.h"
#include "controller/kube/pruned_json.h"

namespace convoke::api {
namespace {

constexpr std::size_t kMaxShownText = 60;
// Free-form values. Less than what an answer of the API is pruned to, with room for all that they lie in.
constexpr int kMaxRawDepth = 150;

std::string in_quotes(std::string_view text) {
  return "\"" + cut_text(text, kMaxShownText) + "\"";
}

// The whole number that `value` stands for; 3.0 is one, as the API server sees it.
std::optional<std::int64_t> to_integer(const Json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    constexpr auto kLimit = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return number <= kLimit ? std::optional(static_cast<std::int64_t>(number)) : std::nullopt;
  }
  if (value.is_number_integer()) {
    return value.get<std::int64_t>();
  }
  if (value.is_number_float()) {
    constexpr double kExactlyRepresentable = 9007199254740992.0;
    const auto number = value.get<double>();
    if (std::abs(number) <= kExactlyRepresentable && std::trunc(number) == number) {
      return static_cast<std::int64_t>(number);
    }
  }
  return std::nullopt;
}

std::string describe(const IntRange& range) {
  if (range.max == IntRange{}.max) {
    return "an integer of at least " + std::to_string(range.min);
  }
  return "an integer from " + std::to_string(range.min) + " to " + std::to_string(range.max);
}

// What stands there instead, for people.
std::string shown(const Json& value) {
  switch (value.type()) {
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "a list";
    case Json::value_t::string:
      return "the string " + in_quotes(value.get_ref<const std::string&>());
    case Json::value_t::null:
      return "null";
    default:
      return cut_text(dump_json(value), kMaxShownText);
  }
}

// Why a free-form value cannot be taken; empty if it was.
std::string take_raw(const Json& value, RawJson& target) {
  if (kube::is_deeper_than(value, kMaxRawDepth)) {
    return "is nested deeper than " + std::to_string(kMaxRawDepth) + " levels";
  }
  target = dump_json(value);
  return "";
}

// Why a duration cannot be taken; empty if it can.
std::string duration_problem(Duration duration, Duration at_least) {
  if (duration < at_least) {
    return "must be at least " + format_duration(at_least);
  }
  if (duration > kMaxDuration) {
    return "must be at most " + format_duration(kMaxDuration);
  }
  return "";
}

}  // namespace

FieldReader::FieldReader(const Json& value, std::string path, std::vector<std::string>& problems)
    : path_(std::move(path)), problems_(&problems) {
  if (value.is_object()) {
    object_ = &value;
  } else if (!value.is_null()) {
    wrong_type(path_, "an object", value);
  }
}

bool FieldReader::has_list(const char* key) const {
  return find_array(key) != nullptr;
}

void FieldReader::read(const char* key, std::string& target) const {
  const Json* value = find(key);
  if (value == nullptr) {
    return;
  }
  if (value->is_string()) {
    target = value->get_ref<const std::string&>();
  } else {
    wrong_type(child(key), "a string", *value);
  }
}

void FieldReader::read(const char* key, bool& target) const {
  const Json* value = find(key);
  if (value == nullptr) {
    return;
  }
  if (value->is_boolean()) {
    target = value->get<bool>();
  } else {
    wrong_type(child(key), "true or false", *value);
  }
}

void FieldReader::read(const char* key, int& target, IntRange range) const {
  const Json* value = find(key);
  if (value == nullptr) {
    return;
  }
  const std::optional<std::int64_t> number = to_integer(*value);
  if (number && *number >= range.min && *number <= range.max) {
    target = static_cast<int>(*number);
  } else {
    wrong_type(child(key), describe(range).c_str(), *value);
  }
}

void FieldReader::read(const char* key, std::int64_t& target) const {
  const Json* value = find(key);
  if (value == nullptr) {
    return;
  }
  if (const std::optional<std::int64_t> number = to_integer(*value)) {
    target = *number;
  } else {
    wrong_type(child(key), "an integer", *value);
  }
}

void FieldReader::read(const char* key, Duration& target, Duration at_least) const {
  std::optional<Duration> duration;
  read(key, duration, at_least);
  target = duration.value_or(target);
}

void FieldReader::read(const char* key, std::optional<Duration>& target, Duration at_least) const {
  const Json* value = find(key);
  if (value == nullptr) {
    return;
  }
  if (!value->is_string()) {
    wrong_type(child(key), "a duration such as \"90s\"", *value);
    return;
  }
  const std::string& text = value->get_ref<const std::string&>();
  const Result<Duration> duration = parse_duration(cut_text(text, kMaxShownText));
  if (!duration) {
    problem(child(key), duration.error().message);
    return;
  }
  if (const std::string why = duration_problem(*duration, at_least); !why.empty()) {
    problem(child(key), why + ", got " + in_quotes(text));
    return;
  }
  target = *duration;
}

void FieldReader::read(const char* key, std::vector<std::string>& target) const {
  read_strings(key, target);
}

void FieldReader::read(const char* key, std::map<std::string, std::string>& target) const {
  const FieldReader map = object(key);
  if (!map.has_fields()) {
    return;
  }
  std::map<std::string, std::string> values;
  bool good = true;
  for (const auto& [name, value] : map.object_->items()) {
    if (value.is_string()) {
      values.emplace(name, value.get_ref<const std::string&>());
    } else {
      wrong_type(map.path_ + "[" + cut_text(name, kMaxShownText) + "]", "a string", value);
      good = false;
    }
  }
  if (good) {
    target = std::move(values);
  }
}

void FieldReader::read(const char* key, std::map<std::string, std::int64_t>& target) const {
  const FieldReader map = object(key);
  if (!map.has_fields()) {
    return;
  }
  std::map<std::string, std::int64_t> values;
  bool good = true;
  for (const auto& [name, value] : map.object_->items()) {
    if (const std::optional<std::int64_t> number = to_integer(value)) {
      values.emplace(name, *number);
    } else {
      wrong_type(map.path_ + "[" + cut_text(name, kMaxShownText) + "]", "an integer", value);
      good = false;
    }
  }
  if (good) {
    target = std::move(values);
  }
}

void FieldReader::read_decimal(const char* key, double& target) const {
  const Json* value = find(key);
  if (value == nullptr) {
    return;
  }
  const std::string* text = value->is_string() ? &value->get_ref<const std::string&>() : nullptr;
  double number = 0;
  const bool good = text != nullptr && !text->empty() && text->front() != '-' && [&] {
    const char* end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, number, std::chars_format::fixed);
    return parsed.ec == std::errc() && parsed.ptr == end && std::isfinite(number);
  }();
  if (good) {
    target = number;
  } else {
    wrong_type(child(key), "a decimal number in quotes, such as \"0.25\"", *value);
  }
}

void FieldReader::read_raw(const char* key, RawJson& target) const {
  if (const Json* value = find(key)) {
    if (std::string why = take_raw(*value, target); !why.empty()) {
      problem(child(key), why);
    }
  }
}

void FieldReader::read_raw_object(const char* key, RawJson& target) const {
  const Json* value = find(key);
  if (value == nullptr) {
    return;
  }
  if (value->is_object()) {
    if (std::string why = take_raw(*value, target); !why.empty()) {
      problem(child(key), why);
    }
  } else {
    wrong_type(child(key), "an object", *value);
  }
}

void FieldReader::read_raw_items(const char* key, std::vector<RawJson>& target) const {
  if (const Json* list = find_array(key)) {
    target.assign(list->size(), {});
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (std::string why = take_raw((*list)[i], target[i]); !why.empty()) {
        problem(item(key, i), why);
      }
    }
  }
}

FieldReader FieldReader::object(const char* key) const {
  static const Json kAbsent;
  const Json* value = find(key);
  return {value == nullptr ? kAbsent : *value, child(key), *problems_};
}

std::optional<FieldReader> FieldReader::optional_object(const char* key) const {
  const FieldReader reader = object(key);
  return reader.object_ == nullptr ? std::nullopt : std::optional(reader);
}

const Json* FieldReader::find(const char* key) const {
  if (object_ == nullptr) {
    return nullptr;
  }
  const auto it = object_->find(key);
  return it == object_->end() || it->is_null() ? nullptr : &*it;
}

const Json* FieldReader::find_array(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr || value->is_array()) {
    return value;
  }
  wrong_type(child(key), "a list", *value);
  return nullptr;
}

// True if there is a list and it holds nothing but strings.
bool FieldReader::read_strings(const char* key, std::vector<std::string>& target) const {
  const Json* list = find_array(key);
  if (list == nullptr) {
    return false;
  }
  std::vector<std::string> values;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& value = (*list)[i];
    if (value.is_string()) {
      values.push_back(value.get_ref<const std::string&>());
    } else {
      wrong_type(item(key, i), "a string", value);
    }
  }
  if (values.size() != list->size()) {
    return false;
  }
  target = std::move(values);
  return true;
}

std::string FieldReader::child(const char* key) const {
  return path_.empty() ? key : path_ + "." + key;
}

std::string FieldReader::item(const char* key, std::size_t index) const {
  return child(key) + "[" + std::to_string(index) + "]";
}

std::string FieldReader::item_path(const char* key, const Json& value, std::size_t index) const {
  if (value.is_object()) {
    const auto name = value.find("name");
    if (name != value.end() && name->is_string() && !name->get_ref<const std::string&>().empty()) {
      return child(key) + "[" + cut_text(name->get_ref<const std::string&>(), kMaxShownText) + "]";
    }
  }
  return item(key, index);
}

void FieldReader::problem(const std::string& path, const std::string& text) const {
  if (problems_->size() + 1 < kMaxProblems) {
    problems_->push_back(path.empty() ? text : path + ": " + text);
  } else if (problems_->size() < kMaxProblems) {
    problems_->push_back(path + ": and more");
  }
}

void FieldReader::wrong_type(const std::string& path, const char* expected, const Json& value) const {
  problem(path, std::string("expected ") + expected + ", got " + shown(value));
}

void FieldReader::unknown_name(const std::string& path, const std::string& text,
                               const std::string& known) const {
  problem(path, in_quotes(text) + " is not one of " + known);
}

}  // namespace convoke::api
