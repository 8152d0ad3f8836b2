#include "controller/kube/json.h"

namespace convoke {
namespace {

constexpr int kMaxDepth = 200;

// Builds the document as nlohmann's own parser does, but counts levels on the way down, so that a hostile
// text is refused before anything recursive (dump, compare) meets it, and keeps the parser's error instead of
// throwing it.
class DocumentBuilder final : public nlohmann::detail::json_sax_dom_parser<Json> {
 public:
  explicit DocumentBuilder(Json& document) : json_sax_dom_parser(document, false) {}

  bool start_object(std::size_t size) { return deeper() && json_sax_dom_parser::start_object(size); }
  bool start_array(std::size_t size) { return deeper() && json_sax_dom_parser::start_array(size); }
  bool end_object() {
    --depth_;
    return json_sax_dom_parser::end_object();
  }
  bool end_array() {
    --depth_;
    return json_sax_dom_parser::end_array();
  }
  template <class Exception>
  bool parse_error(std::size_t position, const std::string& /*token*/, const Exception& error) {
    message_ = "JSON is wrong at byte " + std::to_string(position) + ": " + after_prefix(error.what());
    return false;
  }

  const std::string& message() const { return message_; }

 private:
  bool deeper() {
    if (++depth_ <= kMaxDepth) return true;
    message_ = "JSON is nested deeper than " + std::to_string(kMaxDepth) + " levels";
    return false;
  }
  // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..." -> "syntax error
  // ..."
  static std::string after_prefix(const std::string& what) {
    const auto column = what.find(", column ");
    const auto end = column == std::string::npos ? std::string::npos : what.find(": ", column);
    return end == std::string::npos ? what : what.substr(end + 2);
  }

  int depth_ = 0;
  std::string message_;
};

}  // namespace

Result<Json> parse_json(std::string_view text) {
  Json document;
  DocumentBuilder builder(document);
  if (Json::sax_parse(text, &builder)) return document;
  return {ErrorCode::Invalid, builder.message().empty() ? "JSON cannot be read" : builder.message()};
}

std::string dump_json(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace convoke
