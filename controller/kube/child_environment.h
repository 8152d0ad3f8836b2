// What cpprestsdk makes us change in our own environment, and how to keep that from our child programs.
//
// Thread safety: skip_system_ca_bundle() calls setenv(): call it before other threads start. The rest is
// safe.
#pragma once

#include <string>
#include <vector>

namespace convoke::kube {

// cpprestsdk loads OpenSSL's default CA paths for every connection, which costs 40 ms with the system's CA
// bundle and 0.1 ms without. This points SSL_CERT_FILE of this process at an empty file, once. Only for
// processes that give their CAs explicitly.
void skip_system_ca_bundle();
// The file that OpenSSL would read without skip_system_ca_bundle().
std::string system_ca_bundle();
// The environment for child programs as "NAME=value": ours, as it was before skip_system_ca_bundle().
std::vector<std::string> environment_for_children();

}  // namespace convoke::kube
