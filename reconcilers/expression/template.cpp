#include "reconcilers/expression/template.h"

#include <charconv>
#include <utility>

#include "reconcilers/expression/placeholder.h"

namespace convoke::expression {
namespace {

// As deep as the API's own JSON may nest; every walk below recurses at most this far.
constexpr int kMaxDepth = 200;

Error invalid(const std::string& where, const std::string& what, const std::string& reason) {
  return Error{ErrorCode::Invalid, where + ": " + what, reason};
}

Error too_deep(const std::string& where) {
  return invalid(where, "nested deeper than " + std::to_string(kMaxDepth) + " levels", "InvalidTemplate");
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get_ref<const std::string&>()
                           : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string member_path(const std::string& where, const std::string& key) {
  return where + "." + key;
}
std::string element_path(const std::string& where, std::size_t i) {
  return where + "[" + std::to_string(i) + "]";
}

// "a, b, c" of an object's members, so that a typo is easy to see.
std::string member_names(const Json& object) {
  constexpr std::size_t kShown = 10;
  std::string names;
  std::size_t shown = 0;
  for (const auto& [key, value] : object.items()) {
    if (shown == kShown) {
      return names + ", ...";
    }
    names += (shown++ == 0 ? "" : ", ") + key;
  }
  return names.empty() ? "it has none" : "there are " + names;
}

// One step along a path; null if there is no such element.
const Json* descend(const Json& value, const std::string& element) {
  if (value.is_object()) {
    const auto found = value.find(element);
    return found == value.end() ? nullptr : &*found;
  }
  if (value.is_array()) {
    std::size_t index = 0;
    const auto* end = element.data() + element.size();
    const auto parsed = std::from_chars(element.data(), end, index);
    if (parsed.ec == std::errc{} && parsed.ptr == end && index < value.size()) {
      return &value[index];
    }
  }
  return nullptr;
}

Error unknown_name(const Reference& reference, std::size_t failed, const Json& parent) {
  std::string so_far = reference.path[0];
  for (std::size_t i = 1; i < failed; ++i) {
    so_far += "." + reference.path[i];
  }
  std::string what = "$(" + reference.text + "): " + so_far;
  if (parent.is_object()) {
    what += " has no \"" + reference.path[failed] + "\"; " + member_names(parent);
  } else if (parent.is_array()) {
    what += " is a list of " + std::to_string(parent.size()) + " and has no element \"" +
            reference.path[failed] + "\"";
  } else {
    what += std::string(" is a ") + parent.type_name() + " and has no \"" + reference.path[failed] + "\"";
  }
  return Error{ErrorCode::Invalid, what, "UnknownName"};
}

Result<const Json*> look_up(const Reference& reference, const Scope& scope) {
  const Json* value = scope.find(reference.path[0]);
  if (value == nullptr) {
    return Error{ErrorCode::Invalid,
                 "$(" + reference.text + "): there is no name \"" + reference.path[0] + "\" here",
                 "UnknownName"};
  }
  for (std::size_t i = 1; i < reference.path.size(); ++i) {
    const Json* next = descend(*value, reference.path[i]);
    if (next == nullptr) {
      return unknown_name(reference, i, *value);
    }
    value = next;
  }
  return value;
}

Status collect(const Json& value, const std::string& where, int depth, std::vector<Reference>& found) {
  if (depth > kMaxDepth) {
    return too_deep(where);
  }
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (!has_placeholder(text)) {
      return {};
    }
    auto segments = parse_template(text);
    if (!segments) {
      return segments.error().with_context(where);
    }
    for (auto& segment : *segments) {
      if (segment.reference) {
        found.push_back(std::move(*segment.reference));
      }
    }
  } else if (value.is_object()) {
    for (const auto& [key, member] : value.items()) {
      if (auto status = collect(member, member_path(where, key), depth + 1, found); !status) {
        return status;
      }
    }
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (auto status = collect(value[i], element_path(where, i), depth + 1, found); !status) {
        return status;
      }
    }
  }
  return {};
}

class Expander {
 public:
  Expander(const Scope& scope, std::size_t max_bytes) : scope_(scope), max_bytes_(max_bytes) {}

  Result<Json> expand(const Json& value, const std::string& where, int depth) {
    if (depth > kMaxDepth) {
      return too_deep(where);
    }
    if (value.is_string()) {
      return expand_string(value.get_ref<const std::string&>(), where);
    }
    if (value.is_object()) {
      Json result = Json::object();
      for (const auto& [key, member] : value.items()) {
        auto expanded = expand(member, member_path(where, key), depth + 1);
        if (!expanded) {
          return expanded;
        }
        if (auto status = spend(key.size(), where); !status) {
          return status.error();
        }
        result[key] = std::move(*expanded);
      }
      return result;
    }
    if (value.is_array()) {
      Json result = Json::array();
      for (std::size_t i = 0; i < value.size(); ++i) {
        auto expanded = expand(value[i], element_path(where, i), depth + 1);
        if (!expanded) {
          return expanded;
        }
        result.push_back(std::move(*expanded));
      }
      return result;
    }
    return value;
  }

 private:
  Status spend(std::size_t bytes, const std::string& where) {
    if (bytes > max_bytes_ - spent_) {
      return invalid(where, "expanded, this is larger than " + std::to_string(max_bytes_) + " bytes",
                     "TemplateTooLarge");
    }
    spent_ += bytes;
    return {};
  }

  Result<Json> expand_string(const std::string& text, const std::string& where) {
    if (!has_placeholder(text)) {
      if (auto status = spend(text.size(), where); !status) {
        return status.error();
      }
      return Json(text);
    }
    auto segments = parse_template(text);
    if (!segments) {
      return segments.error().with_context(where);
    }
    const bool keeps_type = segments->size() == 1 && segments->front().reference;
    std::string result;
    for (const auto& segment : *segments) {
      if (!segment.reference) {
        if (auto status = spend(segment.literal.size(), where); !status) {
          return status.error();
        }
        result += segment.literal;
        continue;
      }
      auto value = look_up(*segment.reference, scope_);
      if (!value) {
        return value.error().with_context(where);
      }
      std::string as_text = text_of(**value);
      if (auto status = spend(as_text.size(), where); !status) {
        return status.error();
      }
      if (keeps_type) {
        return **value;
      }
      result += as_text;
    }
    return Json(std::move(result));
  }

  const Scope& scope_;
  std::size_t max_bytes_;
  std::size_t spent_ = 0;
};

}  // namespace

const Json* JsonScope::find(const std::string& root) const {
  return roots_.is_object() ? descend(roots_, root) : nullptr;
}

Result<std::vector<Reference>> references(const Json& value, const std::string& where) {
  std::vector<Reference> found;
  if (auto status = collect(value, where, 0, found); !status) {
    return status.error();
  }
  return found;
}

Result<Json> expand(const Json& value, const Scope& scope, const std::string& where, std::size_t max_bytes) {
  return Expander(scope, max_bytes).expand(value, where, 0);
}

}  // namespace convoke::expression
