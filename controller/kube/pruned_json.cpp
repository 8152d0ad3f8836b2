#include "controller/kube/pruned_json.h"

#include <algorithm>
#include <string>

namespace convoke::kube {
namespace {

// nlohmann's own parser, which is not told of what lies too deep.
class PruningBuilder final : public nlohmann::detail::json_sax_dom_parser<Json> {
 public:
  explicit PruningBuilder(Json& document) : json_sax_dom_parser(document, false) {}

  bool null() { return is_pruned() || json_sax_dom_parser::null(); }
  bool boolean(bool value) { return is_pruned() || json_sax_dom_parser::boolean(value); }
  bool number_integer(std::int64_t value) {
    return is_pruned() || json_sax_dom_parser::number_integer(value);
  }
  bool number_unsigned(std::uint64_t value) {
    return is_pruned() || json_sax_dom_parser::number_unsigned(value);
  }
  bool number_float(double value, const std::string& text) {
    return is_pruned() || json_sax_dom_parser::number_float(value, text);
  }
  bool string(std::string& value) { return is_pruned() || json_sax_dom_parser::string(value); }
  bool key(std::string& value) { return is_pruned() || json_sax_dom_parser::key(value); }
  bool start_object(std::size_t size) {
    return deeper() ? json_sax_dom_parser::start_object(size) : stand_in();
  }
  bool start_array(std::size_t size) {
    return deeper() ? json_sax_dom_parser::start_array(size) : stand_in();
  }
  bool end_object() { return is_pruned(depth_--) || json_sax_dom_parser::end_object(); }
  bool end_array() { return is_pruned(depth_--) || json_sax_dom_parser::end_array(); }
  template <class Exception>
  bool parse_error(std::size_t /*position*/, const std::string& /*token*/, const Exception& /*error*/) {
    return false;
  }

 private:
  bool deeper() { return ++depth_ <= kMaxJsonDepth; }
  bool is_pruned() const { return is_pruned(depth_); }
  static bool is_pruned(int depth) { return depth > kMaxJsonDepth; }
  // For the topmost of what is left out.
  bool stand_in() { return depth_ > kMaxJsonDepth + 1 || json_sax_dom_parser::null(); }

  int depth_ = 0;
};

}  // namespace

Result<Json> parse_pruned_json(std::string_view text) {
  // Nearly everything is read at the first try, and with a message if it is no JSON.
  auto document = parse_json(text);
  if (document || document.error().message.find("nested deeper") == std::string::npos) return document;
  Json pruned;
  PruningBuilder builder(pruned);
  if (Json::sax_parse(text, &builder)) return pruned;
  return {ErrorCode::Invalid, "JSON cannot be read"};
}

bool is_deeper_than(const Json& value, int levels) {
  if (!value.is_structured()) return false;
  return levels <= 0 || std::any_of(value.begin(), value.end(),
                                    [levels](const Json& part) { return is_deeper_than(part, levels - 1); });
}

}  // namespace convoke::kube
