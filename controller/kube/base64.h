// Base64 (RFC 4648, padded) as kubeconfigs and Basic authentication use it. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "controller/base/result.h"

namespace convoke::kube {

std::string base64_encode(std::string_view bytes);
// White space between the characters is skipped. Error Invalid if the rest is not base64.
Result<std::string> base64_decode(std::string_view text);

}  // namespace convoke::kube
