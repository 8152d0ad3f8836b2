#include "controller/serve/bearer_tokens.h"

#include <fstream>
#include <string_view>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <strings.h>

namespace convoke::serve {

namespace {

constexpr Duration kLookForTokenEvery = std::chrono::seconds(2);
constexpr std::string_view kScheme = "Bearer ";

std::string hash_of(std::string_view token) {
  std::string hash(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(),
         reinterpret_cast<unsigned char*>(hash.data()));
  return hash;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace

BearerTokens::BearerTokens(Clock& clock, std::string file) : clock_(clock), file_(std::move(file)) {}

Result<std::vector<std::string>> BearerTokens::read() const {
  std::ifstream in(file_);
  if (!in) return Error{ErrorCode::Invalid, "cannot read the tokens in " + file_};
  std::vector<std::string> hashes;
  for (std::string line; std::getline(in, line);) {
    if (const auto token = trimmed(line); !token.empty()) hashes.push_back(hash_of(token));
  }
  if (hashes.empty()) return Error{ErrorCode::Invalid, "there is no token in " + file_};
  return hashes;
}

Status BearerTokens::load() {
  auto read_now = read();
  if (!read_now) return read_now.error();
  const MutexLock lock(mutex_);
  hashes_ = std::move(*read_now);
  next_look_ = clock_.monotonic_now() + kLookForTokenEvery;
  return {};
}

bool BearerTokens::accept(const std::string& authorization) {
  const MutexLock lock(mutex_);
  if (clock_.monotonic_now() >= next_look_) {
    hashes_ = read().value_or(std::vector<std::string>{});
    next_look_ = clock_.monotonic_now() + kLookForTokenEvery;
  }
  if (strncasecmp(authorization.c_str(), kScheme.data(), kScheme.size()) != 0) return false;
  const std::string given = hash_of(trimmed(std::string_view(authorization).substr(kScheme.size())));
  bool accepted = false;
  for (const auto& hash : hashes_) {
    accepted = CRYPTO_memcmp(given.data(), hash.data(), given.size()) == 0 || accepted;
  }
  return accepted;
}

}  // namespace convoke::serve
