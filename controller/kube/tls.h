// Everything of a TLS connection that can be made ready once: trusted CAs, our certificate and key, and whose
// certificate we expect. cpprestsdk builds an SSL context for every connection; applying a snapshot to it
// costs no parsing.
//
// Thread safety: a snapshot is immutable (the last failure is kept under a lock); it may be applied from
// every thread. Errors: Invalid, naming what could not be read.
#pragma once

#include <memory>
#include <string>

#include "controller/base/mutex.h"
#include "controller/base/result.h"

using SSL_CTX = struct ssl_ctx_st;
using SSL = struct ssl_st;

namespace convoke::kube {

struct TlsInputs {
  std::string ca_pem;           // empty: the system's CAs
  std::string certificate_pem;  // empty: none; the first is ours, the rest its chain
  std::string key_pem;
  std::string server_name;  // whose certificate is expected: a DNS name or an IP address (without brackets)
  bool insecure = false;    // every certificate is accepted
  bool operator==(const TlsInputs&) const = default;
};

class TlsSnapshot {
 public:
  static Result<std::shared_ptr<const TlsSnapshot>> make(const TlsInputs& inputs);
  ~TlsSnapshot();
  TlsSnapshot(const TlsSnapshot&) = delete;
  TlsSnapshot& operator=(const TlsSnapshot&) = delete;

  // The context refers to the snapshot: the snapshot outlives its handshakes.
  void apply(SSL_CTX* context) const;
  // Server name indication; IP addresses have none.
  void set_server_name_indication(SSL* connection) const;
  bool insecure() const;
  // Why the last certificate of a server was refused ("self-signed certificate in certificate chain"); empty
  // if none was.
  std::string last_refusal() const;

 private:
  struct Parts;
  explicit TlsSnapshot(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// "certificate verify failed" for a packed OpenSSL error code; empty if it is none.
std::string tls_error_text(int code);

}  // namespace convoke::kube
