// Kubernetes' named formats: format.dns1123Label().validate(name) gives nothing if it is one, else what is
// wrong.
#include <algorithm>
#include <array>

#include "controller/kube/base64.h"
#include "reconcilers/expression/cel/function.h"
#include "reconcilers/expression/cel/opaque.h"
#include "reconcilers/expression/cel/pattern.h"
#include "reconcilers/expression/cel/time_value.h"
#include "reconcilers/expression/cel/url.h"

namespace convoke::cel {
namespace {

bool is_uri(std::string_view text) {
  return parse_url(text).has_value();
}
bool is_base64(std::string_view text) {
  return kube::base64_decode(text).has_value();
}
bool is_date(std::string_view text) {
  return text.size() == 10 && parse_timestamp(std::string(text) + "T00:00:00Z").has_value();
}
bool is_datetime(std::string_view text) {
  return parse_timestamp(text).has_value();
}

struct NamedFormat {
  std::string_view name;
  std::string_view function;      // format.NAME
  const char* pattern = nullptr;  // of the whole text; or:
  bool (*test)(std::string_view) = nullptr;
  std::size_t most_bytes = 0;  // 0: no bound of its own
  const char* description = "";
};

constexpr const char* kLabel = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
constexpr const char* kLabelPrefix = "^[a-z0-9][-a-z0-9]*$";
constexpr const char* kSubdomain = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
constexpr const char* kSubdomainPrefix =
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*[-.]?$";
constexpr const char* kLetterLabel = "^[a-z]([-a-z0-9]*[a-z0-9])?$";
constexpr const char* kLetterLabelPrefix = "^[a-z][-a-z0-9]*$";
constexpr const char* kQualified =
    "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/"
    ")?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";
constexpr const char* kLabelValue = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$";
constexpr const char* kUuid =
    "^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$";

constexpr const char* kLabelText =
    "lower-case letters, digits and \"-\", with a letter or digit at both ends";
constexpr const char* kSubdomainText =
    "lower-case letters, digits, \"-\" and \".\", with a letter or digit at both ends";
constexpr const char* kLetterLabelText = "lower-case letters, digits and \"-\", beginning with a letter";

constexpr std::array<NamedFormat, 13> kFormats = {{
    {"dns1123Label", "format.dns1123Label", kLabel, nullptr, 63, kLabelText},
    {"dns1123Subdomain", "format.dns1123Subdomain", kSubdomain, nullptr, 253, kSubdomainText},
    {"dns1035Label", "format.dns1035Label", kLetterLabel, nullptr, 63, kLetterLabelText},
    {"qualifiedName", "format.qualifiedName", kQualified, nullptr, 317,
     "a name, perhaps after a DNS subdomain and \"/\""},
    {"dns1123LabelPrefix", "format.dns1123LabelPrefix", kLabelPrefix, nullptr, 63, kLabelText},
    {"dns1123SubdomainPrefix", "format.dns1123SubdomainPrefix", kSubdomainPrefix, nullptr, 253,
     kSubdomainText},
    {"dns1035LabelPrefix", "format.dns1035LabelPrefix", kLetterLabelPrefix, nullptr, 63, kLetterLabelText},
    {"labelValue", "format.labelValue", kLabelValue, nullptr, 63, "letters, digits, \"-\", \"_\" and \".\""},
    {"uri", "format.uri", nullptr, is_uri, 0, "a URL"},
    {"uuid", "format.uuid", kUuid, nullptr, 0, "a UUID"},
    {"byte", "format.byte", nullptr, is_base64, 0, "base64"},
    {"date", "format.date", nullptr, is_date, 0, "a date such as 2026-01-31"},
    {"datetime", "format.datetime", nullptr, is_datetime, 0, "an RFC 3339 time"},
}};

struct FormatReference {
  const NamedFormat* format;
  bool operator==(const FormatReference&) const = default;
};

struct FormatTraits {
  using Type = FormatReference;
  static constexpr std::string_view kName = "kubernetes.NamedFormat";
  static std::string text(const FormatReference& reference) { return std::string(reference.format->name); }
};
using FormatValue = OpaqueOf<FormatTraits>;

const Pattern& pattern_of(const NamedFormat& format) {
  static const auto patterns = [] {
    std::array<std::shared_ptr<const Pattern>, kFormats.size()> compiled;
    for (std::size_t i = 0; i < kFormats.size(); ++i) {
      compiled.at(i) =
          Pattern::compile(kFormats.at(i).pattern == nullptr ? "" : kFormats.at(i).pattern).value();
    }
    return compiled;
  }();
  return *patterns.at(static_cast<std::size_t>(&format - kFormats.data()));
}

// Called as format.NAME(): which one it is, the call's own text says.
Value constant(const Call& call) {
  const auto* found = std::find_if(kFormats.begin(), kFormats.end(), [&](const NamedFormat& format) {
    return format.function == call.node.text;
  });
  return found == kFormats.end() ? call.no_overload() : FormatValue::make({found});
}

Value named(const Call& call) {
  if (!call[0].is(Kind::String)) {
    return call.no_overload();
  }
  const auto* found = std::find_if(kFormats.begin(), kFormats.end(), [&](const NamedFormat& format) {
    return format.name == call[0].as_text();
  });
  return found == kFormats.end() ? Value::none() : Value::optional_of(FormatValue::make({found}));
}

Value validate(const Call& call) {
  const FormatReference* reference = FormatValue::get(call[0]);
  if (reference == nullptr || !call[1].is(Kind::String)) {
    return call.no_overload();
  }
  const auto text = call[1].as_text();
  if (!call.budget.spend(4 * Budget::steps_for(text.size()))) {
    return too_expensive();
  }
  std::vector<Value> problems;
  const NamedFormat& format = *reference->format;
  const std::size_t most = format.most_bytes;
  if (most != 0 && text.size() > most) {
    problems.push_back(Value::from_string("must have at most " + std::to_string(most) + " bytes"));
  } else if (format.test != nullptr ? !format.test(text) : !pattern_of(format).find(text)) {
    problems.push_back(Value::from_string(std::string("must be ") + format.description));
  }
  return problems.empty() ? Value::none() : Value::optional_of(call.list(std::move(problems)));
}

constexpr auto kNamedFormatFunctions = [] {
  std::array<Function, kFormats.size() + 2> functions{};
  for (std::size_t i = 0; i < kFormats.size(); ++i) {
    functions.at(i) = {kFormats.at(i).function, false, 0, 0, constant};
  }
  functions.at(kFormats.size()) = {"format.named", false, 1, 1, named};
  functions.at(kFormats.size() + 1) = {"validate", true, 2, 2, validate};
  return functions;
}();

}  // namespace

FunctionTable named_format_functions() {
  return kNamedFormatFunctions;
}

}  // namespace convoke::cel
