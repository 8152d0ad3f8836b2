#include "programs/kubectl-convoke/metadata_check.h"

#include <algorithm>

#include <re2/re2.h>

#include "controller/base/similar_word.h"
#include "controller/base/time_format.h"
#include "programs/kubectl-convoke/field_path.h"
#include "programs/kubectl-convoke/finding_text.h"
#include "programs/kubectl-convoke/json_view.h"
#include "reconcilers/api/common.h"

namespace convoke::plugin {
namespace {

// As good as not given.
bool is_blank(const Json& value) {
  return value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty());
}

constexpr std::size_t kMaxNameBytes = 253;
constexpr std::size_t kMaxLabelBytes = 63;
constexpr std::size_t kMaxAnnotationsBytes = std::size_t{256} * 1024;
constexpr char kNameRule[] =
    "a name has lower-case letters, digits, \"-\" and \".\", and begins and ends with a letter or digit";

bool matches(const std::string& text, const re2::RE2& pattern, std::size_t max_bytes) {
  return text.size() <= max_bytes && re2::RE2::FullMatch(text, pattern);
}

bool is_name(const std::string& text) {
  static const re2::RE2 kPattern("[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*");
  return matches(text, kPattern, kMaxNameBytes);
}

bool is_namespace(const std::string& text) {
  static const re2::RE2 kPattern("[a-z0-9]([-a-z0-9]*[a-z0-9])?");
  return matches(text, kPattern, kMaxLabelBytes);
}

bool is_label_value(const std::string& text) {
  static const re2::RE2 kPattern("(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?");
  return matches(text, kPattern, kMaxLabelBytes);
}

// "app", or with the name of a domain: "example.com/app".
bool is_qualified_name(const std::string& text) {
  static const re2::RE2 kPattern("([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]");
  const auto slash = text.find('/');
  if (slash == std::string::npos) return matches(text, kPattern, kMaxLabelBytes);
  return is_name(text.substr(0, slash)) && matches(text.substr(slash + 1), kPattern, kMaxLabelBytes);
}

class MetadataCheck {
 public:
  explicit MetadataCheck(const Json& object) : metadata_(value_at(object, "/metadata")) {}

  std::vector<MetadataProblem> check() {
    if (!metadata_.is_null() && !metadata_.is_object()) {
      add("", "must be of type object, not " + type_of(metadata_));
      return problems_;
    }
    check_name();
    check_namespace();
    for (const char* field : {"uid", "resourceVersion", "selfLink"}) text_of(field);
    for (const char* field : {"creationTimestamp", "deletionTimestamp"}) check_time(field);
    for (const char* field : {"generation", "deletionGracePeriodSeconds"}) check_integer(field);
    check_labels();
    check_annotations();
    check_finalizers();
    check_owners();
    list_of("managedFields");
    check_fields();
    return problems_;
  }

 private:
  void add(const std::string& below, std::string message) {
    problems_.push_back({"/metadata" + below, std::move(message)});
  }

  // What stands in that field; null: nothing, which is allowed everywhere.
  const Json& field(const std::string& name) const { return value_at(metadata_, "/" + name); }

  bool is_text(const Json& value, const std::string& below) {
    if (value.is_string()) return true;
    add(below, "must be of type string, not " + type_of(value) +
                   (value.is_primitive() && !value.is_null() ? ": put it in quotes" : ""));
    return false;
  }

  // Empty where there is none, or another type, which it tells.
  std::string text_of(const std::string& name) {
    const Json& value = field(name);
    return !value.is_null() && is_text(value, "/" + name) ? value.get<std::string>() : "";
  }

  bool is_of_type(const std::string& name, const char* type, bool right) {
    if (right || field(name).is_null()) return right;
    add("/" + name, std::string("must be of type ") + type + ", not " + type_of(field(name)));
    return false;
  }
  bool list_of(const std::string& name) { return is_of_type(name, "array", field(name).is_array()); }
  bool map_of(const std::string& name) { return is_of_type(name, "object", field(name).is_object()); }
  void check_integer(const std::string& name) {
    is_of_type(name, "integer", field(name).is_number_integer());
  }

  void check_name() {
    const auto empty = [&](const char* one) { return is_blank(field(one)); };
    const auto name = text_of("name");
    auto generated = text_of("generateName");
    if (empty("name") && empty("generateName")) add("", "metadata.name is missing");
    if (!name.empty() && !is_name(name)) add("/name", kNameRule);
    // What is put behind it may follow a "-".
    if (generated.ends_with('-')) generated.back() = 'a';
    if (name.empty() && !generated.empty() && !is_name(generated)) add("/generateName", kNameRule);
  }

  void check_namespace() {
    const auto text = text_of("namespace");
    if (text.empty() || is_namespace(text)) return;
    add("/namespace", quoted(text) +
                          " is no namespace: it has 1 to 63 lower-case letters, digits and \"-\", and begins "
                          "and ends with a "
                          "letter or digit");
  }

  void check_time(const std::string& name) {
    const auto text = text_of(name);
    if (!text.empty() && !parse_time(text))
      add("/" + name, quoted(text) + " is not a time such as 2026-01-31T12:00:00Z");
  }

  void check_labels() {
    if (!map_of("labels")) return;
    for (const auto& [key, value] : field("labels").items()) {
      const auto below = "/labels/" + escaped_token(key);
      check_key(key, below, "label");
      if (value.is_null() || !is_text(value, below) || is_label_value(value.get<std::string>())) continue;
      add(below,
          quoted(value.get<std::string>()) +
              " cannot be the value of a label, which has at most 63 letters, digits, \"-\", \"_\" and "
              "\".\", and begins and ends with a letter or digit");
    }
  }

  void check_annotations() {
    if (!map_of("annotations")) return;
    std::size_t bytes = 0;
    for (const auto& [key, value] : field("annotations").items()) {
      const auto below = "/annotations/" + escaped_token(key);
      std::string lower = key;
      std::transform(lower.begin(), lower.end(), lower.begin(),
                     [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
      check_key(lower, below, "annotation");
      bytes += key.size();
      if (!value.is_null() && is_text(value, below)) bytes += value.get_ref<const std::string&>().size();
    }
    if (bytes > kMaxAnnotationsBytes)
      add("/annotations", "have " + std::to_string(bytes) + " bytes; at most 262144 are allowed");
  }

  void check_key(const std::string& key, const std::string& below, const std::string& what) {
    if (is_qualified_name(key)) return;
    add(below,
        quoted(key) + " cannot be the key of " + (what == "label" ? "a " : "an ") + what +
            ": at most 63 letters, digits, \"-\", \"_\" and \".\", and before it, perhaps, the name of a "
            "domain and \"/\"");
  }

  void check_finalizers() {
    if (!list_of("finalizers")) return;
    const Json& list = field("finalizers");
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto below = "/finalizers/" + std::to_string(i);
      if (is_text(list[i], below) && !is_qualified_name(list[i].get<std::string>()))
        add(below,
            quoted(list[i].get<std::string>()) + " is no name of a finalizer, such as example.com/clean-up");
    }
  }

  void check_owners() {
    if (!list_of("ownerReferences")) return;
    const Json& list = field("ownerReferences");
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto below = "/ownerReferences/" + std::to_string(i);
      if (!list[i].is_object()) {
        add(below, "must be of type object, not " + type_of(list[i]));
        continue;
      }
      for (const char* needed : {"apiVersion", "kind", "name", "uid"}) {
        const Json& value = value_at(list[i], std::string("/") + needed);
        if (is_blank(value)) {
          add(below, std::string("the field \"") + needed + "\" is missing");
        } else {
          is_text(value, below + "/" + needed);
        }
      }
    }
  }

  void check_fields() {
    static const std::vector<std::string> kFields = {"annotations",
                                                     "creationTimestamp",
                                                     "deletionGracePeriodSeconds",
                                                     "deletionTimestamp",
                                                     "finalizers",
                                                     "generateName",
                                                     "generation",
                                                     "labels",
                                                     "managedFields",
                                                     "name",
                                                     "namespace",
                                                     "ownerReferences",
                                                     "resourceVersion",
                                                     "selfLink",
                                                     "uid"};
    if (!metadata_.is_object()) return;
    for (const auto& [name, value] : metadata_.items()) {
      if (std::find(kFields.begin(), kFields.end(), name) != kFields.end()) continue;
      const auto similar = most_similar(name, kFields);
      add("/" + escaped_token(name), "unknown field " + quoted(name) +
                                         (similar.empty() ? "" : "; did you mean " + quoted(similar) + "?"));
    }
  }

  const Json& metadata_;
  std::vector<MetadataProblem> problems_;
};

}  // namespace

std::vector<MetadataProblem> check_metadata(const Json& object) {
  return MetadataCheck(object).check();
}

}  // namespace convoke::plugin
