// Reads the fields of one JSON object into plain values, tolerantly.
//
// A field that is absent or null leaves its target as it was. So does one of the wrong type or value, which
// is also described in `problems` with its path: "spec.priority: expected an integer from 1 to 5, got 9". A
// list with a wrong item is wrong as a whole, except for a list of objects, where only that item is left out.
//
// At most kMaxProblems are kept for one object, so that the list stays small whatever the object holds.
// Ownership: the JSON document and the list of problems outlive the reader. Not thread-safe.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reconcilers/api/common.h"
#include "reconcilers/api/enum_names.h"

namespace convoke::api {

inline constexpr std::size_t kMaxProblems = 20;

// Longer durations are refused: every point in time that they are added to stays representable.
inline constexpr Duration kMaxDuration = std::chrono::hours(24 * 365 * 10);

struct IntRange {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int32_t>::max();
};

class FieldReader {
 public:
  FieldReader(const Json& value, std::string path, std::vector<std::string>& problems);

  // True if there is an object and it holds anything at all.
  bool has_fields() const { return object_ != nullptr && !object_->empty(); }
  bool has_list(const char* key) const;
  const std::string& path() const { return path_; }

  void read(const char* key, std::string& target) const;
  void read(const char* key, bool& target) const;
  void read(const char* key, int& target, IntRange range = {}) const;
  void read(const char* key, std::int64_t& target) const;
  void read(const char* key, Duration& target, Duration at_least = Duration::zero()) const;
  void read(const char* key, std::optional<Duration>& target, Duration at_least = Duration::zero()) const;
  void read(const char* key, std::vector<std::string>& target) const;
  void read(const char* key, std::map<std::string, std::string>& target) const;
  void read(const char* key, std::map<std::string, std::int64_t>& target) const;
  // A decimal number in a string ("0.25"), not negative.
  void read_decimal(const char* key, double& target) const;

  template <class E, std::size_t N>
  void read(const char* key, E& target, const EnumNames<E, N>& names) const {
    std::optional<E> value;
    read(key, value, names);
    target = value.value_or(target);
  }

  template <class E, std::size_t N>
  void read(const char* key, std::optional<E>& target, const EnumNames<E, N>& names) const {
    std::string text;
    E value{};
    read(key, text);
    if (!text.empty() && read_name(child(key), text, value, names)) {
      target = value;
    }
  }

  template <class E, std::size_t N>
  void read(const char* key, std::vector<E>& target, const EnumNames<E, N>& names) const {
    std::vector<std::string> texts;
    if (!read_strings(key, texts)) {
      return;
    }
    std::vector<E> values(texts.size());
    bool good = true;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      good = read_name(item(key, i), texts[i], values[i], names) && good;
    }
    if (good) {
      target = std::move(values);
    }
  }

  // Any value, as compact JSON text.
  void read_raw(const char* key, RawJson& target) const;
  void read_raw_object(const char* key, RawJson& target) const;
  void read_raw_items(const char* key, std::vector<RawJson>& target) const;

  // A reader of the object in that field; without fields if it is absent or not an object.
  FieldReader object(const char* key) const;
  // The object in that field; nothing if it is absent or not an object.
  std::optional<FieldReader> optional_object(const char* key) const;

  // Calls `read_item` with a reader for each object in that list. Items that have a name go by it in the
  // paths: "spec.steps[build]".
  template <class F>
  void each_object(const char* key, F read_item) const {
    const Json* list = find_array(key);
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
      const FieldReader reader((*list)[i], item_path(key, (*list)[i], i), *problems_);
      if (reader.object_ != nullptr) {
        read_item(reader);
      }
    }
  }

 private:
  const Json* find(const char* key) const;
  const Json* find_array(const char* key) const;
  bool read_strings(const char* key, std::vector<std::string>& target) const;
  std::string child(const char* key) const;
  std::string item(const char* key, std::size_t index) const;
  std::string item_path(const char* key, const Json& value, std::size_t index) const;

  template <class E, std::size_t N>
  bool read_name(const std::string& path, const std::string& text, E& target,
                 const EnumNames<E, N>& names) const {
    const std::optional<E> value = value_of(names, text);
    if (value) {
      target = *value;
    } else {
      unknown_name(path, text, all_names(names));
    }
    return value.has_value();
  }

  void problem(const std::string& path, const std::string& text) const;
  void wrong_type(const std::string& path, const char* expected, const Json& value) const;
  void unknown_name(const std::string& path, const std::string& text, const std::string& known) const;

  const Json* object_ = nullptr;  // null if the value is not an object
  std::string path_;
  std::vector<std::string>* problems_;
};

}  // namespace convoke::api
