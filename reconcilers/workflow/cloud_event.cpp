#include "reconcilers/workflow/cloud_event.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <optional>
#include <utility>

#include "controller/base/time_format.h"
#include "controller/kube/base64.h"
#include "reconcilers/api/common.h"
#include "reconcilers/api/hash.h"

namespace convoke::workflow {
namespace {

constexpr std::size_t kMaxBatch = 100;
constexpr std::size_t kKeyLength = 20;
constexpr std::string_view kHeaderPrefix = "ce-";

Error refuse(int status, const std::string& what) {
  return Error{ErrorCode::Invalid, what, "InvalidEvent", status};
}

Error bad(const std::string& what) {
  return refuse(400, what);
}

std::string header(const std::map<std::string, std::string>& headers, const std::string& name) {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return text;
}

// "application/json" of "Application/JSON; charset=utf-8".
std::string media_type(const std::string& content_type) {
  const std::string type = lower(content_type.substr(0, content_type.find(';')));
  const auto begin = type.find_first_not_of(" \t");
  return begin == std::string::npos ? "" : type.substr(begin, type.find_last_not_of(" \t") - begin + 1);
}

bool is_json(const std::string& media) {
  return media.ends_with("/json") || media.ends_with("+json");
}

bool is_text(const std::string& media) {
  return media.starts_with("text/") || media.ends_with("/xml") || media.ends_with("+xml");
}

// What is not UTF-8 is replaced when it is written.
bool is_utf8(const std::string& text) {
  const auto written = parse_json(dump_json(Json(text)));
  return written && *written == text;
}

bool is_attribute_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  });
}

std::string shown(const std::string& name) {
  return "\"" + api::cut_text(name, 40) + "\"";
}

// What must hold for the attributes that the specification names.
std::string problem_of_attribute(const std::string& name, const Json& value) {
  const bool is_named = name == "id" || name == "source" || name == "type" || name == "subject" ||
                        name == "time" || name == "datacontenttype" || name == "dataschema";
  if (is_named && (!value.is_string() || value.get_ref<const std::string&>().empty())) {
    return "expected a text that is not empty";
  }
  if (name == "time" && !parse_time(value.get_ref<const std::string&>())) {
    return "expected a time such as 2026-01-31T12:00:05Z";
  }
  if (value.is_number_integer()) {
    const bool is_small = value.is_number_unsigned()
                              ? value.get<std::uint64_t>() <= std::numeric_limits<std::int32_t>::max()
                              : value.get<std::int64_t>() >= std::numeric_limits<std::int32_t>::min();
    return is_small ? "" : "expected an integer of 32 bits";
  }
  return value.is_string() || value.is_boolean() ? "" : "expected a text, an integer or a boolean";
}

Status check_data(const Json& event) {
  const auto encoded = event.find("data_base64");
  if (encoded == event.end()) {
    return {};
  }
  if (event.contains("data")) {
    return bad("there are both data and data_base64");
  }
  if (!encoded->is_string() || !kube::base64_decode(encoded->get_ref<const std::string&>())) {
    return bad("data_base64: expected base64");
  }
  return {};
}

Result<CloudEvent> checked(Json event) {
  if (!event.is_object()) {
    return bad("expected a CloudEvent, which is an object");
  }
  for (auto it = event.begin(); it != event.end();) {
    it = it->is_null() && it.key() != "data" ? event.erase(it) : std::next(it);
  }
  if (event.value("specversion", Json()) != "1.0") {
    return bad("specversion: expected \"1.0\"");
  }
  for (const char* name : {"id", "source", "type"}) {
    if (!event.contains(name)) {
      return bad(std::string(name) + ": is required");
    }
  }
  for (const auto& [name, value] : event.items()) {
    if (name == "data" || name == "data_base64") {
      continue;
    }
    if (!is_attribute_name(name)) {
      return bad("attribute " + shown(name) + ": a name has lower-case letters and digits only");
    }
    if (const auto problem = problem_of_attribute(name, value); !problem.empty()) {
      return bad(name + ": " + problem);
    }
  }
  if (auto status = check_data(event); !status) {
    return status.error();
  }
  if (dump_json(event).size() > kMaxEventBytes) {
    return refuse(413, "the event is larger than " + std::to_string(kMaxEventBytes) + " bytes");
  }
  return CloudEvent{event["id"], event["source"], event["type"], std::move(event)};
}

std::optional<int> hex_digit(char c) {
  const auto digit = std::string_view("0123456789abcdef")
                         .find(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  return digit == std::string_view::npos ? std::nullopt : std::optional(static_cast<int>(digit));
}

// What stands between double quotes, if the whole value does.
std::string unquoted(const std::string& value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') {
    return value;
  }
  std::string text;
  for (std::size_t i = 1; i + 1 < value.size(); ++i) {
    i += value[i] == '\\' && i + 2 < value.size() ? 1 : 0;
    text += value[i];
  }
  return text;
}

Result<std::string> decoded(const std::string& name, const std::string& value) {
  const std::string text = unquoted(value);
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    const auto high = i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
    const auto low = high ? hex_digit(text[i + 2]) : std::nullopt;
    if (!low) {
      return bad("header ce-" + name + ": \"%\" stands before two hexadecimal digits");
    }
    result += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  if (!is_utf8(result)) {
    return bad("header ce-" + name + ": expected UTF-8");
  }
  return result;
}

Status add_data(const std::string& media, const std::string& body, Json& event) {
  if (body.empty()) {
    return {};
  }
  if (is_json(media)) {
    auto data = parse_json(body);
    if (!data) {
      return bad("data: " + data.error().message);
    }
    event["data"] = std::move(*data);
  } else if (is_text(media) && is_utf8(body)) {
    event["data"] = body;
  } else {
    event["data_base64"] = kube::base64_encode(body);
  }
  return {};
}

Result<std::vector<CloudEvent>> read_binary(const std::map<std::string, std::string>& headers,
                                            const std::string& body) {
  Json event = Json::object();
  for (auto it = headers.lower_bound(std::string(kHeaderPrefix));
       it != headers.end() && it->first.starts_with(kHeaderPrefix); ++it) {
    const std::string name = it->first.substr(kHeaderPrefix.size());
    if (!is_attribute_name(name) || name == "data" || name == "datacontenttype") {
      return bad("header " + shown(it->first) + ": there is no such attribute");
    }
    auto value = decoded(name, it->second);
    if (!value) {
      return value.error();
    }
    event[name] = std::move(*value);
  }
  const std::string content_type = header(headers, "content-type");
  if (!content_type.empty()) {
    if (!is_utf8(content_type)) {
      return bad("header content-type: expected UTF-8");
    }
    event["datacontenttype"] = content_type;
  }
  if (auto status = add_data(media_type(content_type), body, event); !status) {
    return status.error();
  }
  auto read = checked(std::move(event));
  if (!read) {
    return read.error();
  }
  return std::vector<CloudEvent>{std::move(*read)};
}

Result<std::vector<CloudEvent>> read_structured(const std::string& body, bool is_batch) {
  auto json = parse_json(body);
  if (!json) {
    return bad("the body is not JSON: " + json.error().message);
  }
  if (json->is_array() != is_batch) {
    return bad(is_batch ? "expected a list of CloudEvents" : "expected one CloudEvent, which is an object");
  }
  if (is_batch && json->size() > kMaxBatch) {
    return refuse(413, "a batch has at most " + std::to_string(kMaxBatch) + " events");
  }
  std::vector<CloudEvent> events;
  for (std::size_t i = 0; i < (is_batch ? json->size() : 1); ++i) {
    auto event = checked(std::move(is_batch ? (*json)[i] : *json));
    if (!event) {
      return is_batch ? event.error().with_context("event " + std::to_string(i)) : event.error();
    }
    events.push_back(std::move(*event));
  }
  return events;
}

}  // namespace

Result<std::vector<CloudEvent>> read_cloud_events(const std::map<std::string, std::string>& headers,
                                                  const std::string& body) {
  const std::string media = media_type(header(headers, "content-type"));
  if (media == "application/cloudevents+json") {
    return read_structured(body, false);
  }
  if (media == "application/cloudevents-batch+json") {
    return read_structured(body, true);
  }
  if (media.starts_with("application/cloudevents")) {
    return refuse(415,
                  "CloudEvents are read as application/cloudevents+json, "
                  "application/cloudevents-batch+json, and in binary mode");
  }
  if (headers.count("ce-specversion") == 0) {
    return refuse(415,
                  "this is no CloudEvent: neither is the content type application/cloudevents+json, nor "
                  "is there a header ce-specversion");
  }
  return read_binary(headers, body);
}

std::string event_key(const std::string& workflow_uid, const std::string& trigger, const CloudEvent& event) {
  // The lengths keep apart what would read the same when joined.
  const std::string text = workflow_uid + "/" + trigger + "/" + std::to_string(event.source.size()) + "/" +
                           event.source + "/" + event.id;
  return api::sha256_hex(text).substr(0, kKeyLength);
}

}  // namespace convoke::workflow
