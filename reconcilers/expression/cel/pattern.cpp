#include "reconcilers/expression/cel/pattern.h"

#include <utility>

#include <re2/re2.h>

namespace convoke::cel {
namespace {

constexpr std::size_t kMaxPatternBytes = 4096;
constexpr std::int64_t kMaxProgramBytes = 1024 * 1024;

}  // namespace

Pattern::Pattern(std::unique_ptr<const re2::RE2> regex)
    : regex_(std::move(regex)), size_(static_cast<std::size_t>(regex_->ProgramSize())) {}

Pattern::~Pattern() = default;

Result<std::shared_ptr<const Pattern>> Pattern::compile(std::string_view text) {
  if (text.size() > kMaxPatternBytes) {
    return Error{ErrorCode::Invalid,
                 "a regular expression has at most " + std::to_string(kMaxPatternBytes) + " bytes"};
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxProgramBytes);
  auto regex = std::make_unique<const re2::RE2>(re2::StringPiece(text.data(), text.size()), options);
  if (!regex->ok()) {
    return Error{ErrorCode::Invalid, "not a regular expression: " + regex->error()};
  }
  return std::shared_ptr<const Pattern>(new Pattern(std::move(regex)));
}

std::optional<Match> Pattern::find(std::string_view text, std::size_t from) const {
  re2::StringPiece found;
  const re2::StringPiece all(text.data(), text.size());
  if (!regex_->Match(all, from, all.size(), re2::RE2::UNANCHORED, &found, 1)) {
    return std::nullopt;
  }
  const auto begin = static_cast<std::size_t>(found.data() - all.data());
  return Match{begin, begin + found.size()};
}

}  // namespace convoke::cel
