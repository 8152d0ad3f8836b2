#include "controller/kube/base64.h"

#include <algorithm>
#include <iterator>

#include <openssl/evp.h>

namespace convoke::kube {

std::string base64_encode(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL ends it with a NUL
  const int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(length));
  return out;
}

Result<std::string> base64_decode(std::string_view text) {
  std::string packed;
  packed.reserve(text.size());
  std::copy_if(text.begin(), text.end(), std::back_inserter(packed),
               [](char c) { return c != '\n' && c != '\r' && c != ' ' && c != '\t'; });
  if (packed.empty()) return std::string();
  const auto last = packed.find_last_not_of('=');
  const std::size_t padding = last == std::string::npos ? packed.size() : packed.size() - last - 1;
  std::string out(packed.size() / 4 * 3 + 1, '\0');
  int length = -1;
  if (packed.size() % 4 == 0 && padding <= 2 && packed.find('=') >= packed.size() - padding) {
    length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                             reinterpret_cast<const unsigned char*>(packed.data()),
                             static_cast<int>(packed.size()));
  }
  if (length < 0) return {ErrorCode::Invalid, "not base64"};
  // EVP_DecodeBlock counts the padding as bytes.
  out.resize(static_cast<std::size_t>(length) - padding);
  return out;
}

}  // namespace convoke::kube
