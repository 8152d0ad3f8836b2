#include "reconcilers/expression/template.h"

#include <optional>
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

// The names of a Scope as variables of an expression.
class ScopeVariables final : public cel::Activation {
 public:
  explicit ScopeVariables(const Scope& scope) : scope_(scope) {}
  std::optional<cel::Value> find(std::string_view name) const override {
    const Json* value = scope_.find(std::string(name));
    return value == nullptr ? std::nullopt : std::optional(cel::Value::from_json(*value));
  }

 private:
  const Scope& scope_;
};

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
    for (const auto& segment : *segments) {
      if (segment.program) {
        for (const auto& reference : segment.program->references()) {
          found.push_back({segment.program->source(), reference.path});
        }
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
  Expander(const Scope& scope, std::size_t max_bytes)
      : variables_(scope), max_bytes_(max_bytes), left_{kMaxSteps, 4 * max_bytes} {}

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
  Error too_large(const std::string& where) const {
    return invalid(where, "expanded, this is larger than " + std::to_string(max_bytes_) + " bytes",
                   "TemplateTooLarge");
  }

  Status spend(std::size_t bytes, const std::string& where) {
    if (bytes > max_bytes_ - spent_) {
      return too_large(where);
    }
    spent_ += bytes;
    return {};
  }

  Result<Json> evaluate(const cel::Program& program, const std::string& where) {
    const auto value = program.evaluate(variables_, left_, &left_);
    if (!value) {
      return value.error().with_context(where + ": $(" + program.source() + ")");
    }
    auto json = cel::to_json(*value, max_bytes_ - spent_ + 1);
    if (!json) {
      return json.error().reason == cel::kResultTooLarge
                 ? too_large(where)
                 : json.error().with_context(where + ": $(" + program.source() + ")");
    }
    return json;
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
    const bool keeps_type = segments->size() == 1 && segments->front().program;
    std::string result;
    for (const auto& segment : *segments) {
      if (!segment.program) {
        if (auto status = spend(segment.literal.size(), where); !status) {
          return status.error();
        }
        result += segment.literal;
        continue;
      }
      auto value = evaluate(*segment.program, where);
      if (!value) {
        return value;
      }
      std::string as_text = text_of(*value);
      if (auto status = spend(as_text.size(), where); !status) {
        return status.error();
      }
      if (keeps_type) {
        return value;
      }
      result += as_text;
    }
    return Json(std::move(result));
  }

  ScopeVariables variables_;
  std::size_t max_bytes_;
  std::size_t spent_ = 0;
  cel::Limits left_;
};

}  // namespace

const Json* JsonScope::find(const std::string& root) const {
  const auto found = roots_.find(root);
  return found == roots_.end() ? nullptr : &*found;
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
