#include "controller/kube/tls.h"

#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "controller/kube/child_environment.h"

namespace convoke::kube {
namespace {

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

Owned<BIO> reader(const std::string& pem) {
  return Owned<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// Keeps OpenSSL from asking a terminal for a passphrase.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*context*/) {
  return 0;
}

std::vector<Owned<X509>> read_certificates(const std::string& pem) {
  std::vector<Owned<X509>> certificates;
  const auto bio = reader(pem);
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr)) {
    certificates.emplace_back(certificate);
  }
  ERR_clear_error();  // reading always ends with "no start line"
  return certificates;
}

Result<Owned<X509_STORE>> make_store(const std::string& ca_pem) {
  Owned<X509_STORE> store(X509_STORE_new());
  if (ca_pem.empty()) {
    // Not X509_STORE_set_default_paths(): another transport may have pointed SSL_CERT_FILE at an empty file.
    X509_STORE_load_locations(store.get(), system_ca_bundle().c_str(), X509_get_default_cert_dir());
    ERR_clear_error();
    return store;
  }
  const auto certificates = read_certificates(ca_pem);
  if (certificates.empty()) return {ErrorCode::Invalid, "the certificate authority holds no PEM certificate"};
  for (const auto& certificate : certificates) X509_STORE_add_cert(store.get(), certificate.get());
  return store;
}

bool is_ip_address(const std::string& name) {
  in6_addr six{};
  in_addr four{};
  return inet_pton(AF_INET, name.c_str(), &four) == 1 || inet_pton(AF_INET6, name.c_str(), &six) == 1;
}

}  // namespace

struct TlsSnapshot::Parts {
  Owned<X509_STORE> store;
  std::vector<Owned<X509>> certificates;
  Owned<EVP_PKEY> key;
  std::string server_name;
  bool insecure = false;
  Mutex mutex;
  std::string last_refusal GUARDED_BY(mutex);

  static int verify_server(X509_STORE_CTX* chain, void* parts);
  void remember_refusal(X509_STORE_CTX* chain);
};

// OpenSSL calls this in place of its own verification. It is that same verification with the name to expect
// set, so that tls-server-name and IP addresses hold whatever the Host header says, and without cpprestsdk's
// callback, which would compare with the Host header.
int TlsSnapshot::Parts::verify_server(X509_STORE_CTX* chain, void* parts) {
  auto* self = static_cast<Parts*>(parts);
  if (self->insecure) return 1;
  X509_STORE_CTX_set_verify_cb(chain, [](int verdict, X509_STORE_CTX*) { return verdict; });
  X509_VERIFY_PARAM* expected = X509_STORE_CTX_get0_param(chain);
  if (is_ip_address(self->server_name)) {
    X509_VERIFY_PARAM_set1_ip_asc(expected, self->server_name.c_str());
  } else {
    X509_VERIFY_PARAM_set1_host(expected, self->server_name.data(), self->server_name.size());
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  }
  const int verdict = X509_verify_cert(chain);
  if (verdict <= 0) self->remember_refusal(chain);
  return verdict;
}

void TlsSnapshot::Parts::remember_refusal(X509_STORE_CTX* chain) {
  std::string why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(chain));
  const MutexLock lock(mutex);
  last_refusal = std::move(why);
}

TlsSnapshot::TlsSnapshot(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
TlsSnapshot::~TlsSnapshot() = default;

Result<std::shared_ptr<const TlsSnapshot>> TlsSnapshot::make(const TlsInputs& inputs) {
  auto parts = std::make_unique<Parts>();
  auto store = make_store(inputs.ca_pem);
  if (!store) return store.error();
  parts->store = std::move(*store);
  parts->server_name = inputs.server_name;
  parts->insecure = inputs.insecure;
  if (inputs.certificate_pem.empty() != inputs.key_pem.empty()) {
    return {ErrorCode::Invalid, "a client certificate and its key must be given together"};
  }
  if (!inputs.certificate_pem.empty()) {
    parts->certificates = read_certificates(inputs.certificate_pem);
    if (parts->certificates.empty()) {
      return {ErrorCode::Invalid, "the client certificate holds no PEM certificate"};
    }
    parts->key.reset(PEM_read_bio_PrivateKey(reader(inputs.key_pem).get(), nullptr, no_passphrase, nullptr));
    ERR_clear_error();
    if (!parts->key) return {ErrorCode::Invalid, "the client key is not an unencrypted PEM private key"};
    if (X509_check_private_key(parts->certificates.front().get(), parts->key.get()) != 1) {
      ERR_clear_error();
      return {ErrorCode::Invalid, "the client key does not belong to the client certificate"};
    }
  }
  return std::shared_ptr<const TlsSnapshot>(new TlsSnapshot(std::move(parts)));
}

void TlsSnapshot::apply(SSL_CTX* context) const {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set1_cert_store(context, parts_->store.get());
  SSL_CTX_set_cert_verify_callback(context, Parts::verify_server, parts_.get());
  if (parts_->certificates.empty()) return;
  SSL_CTX_use_certificate(context, parts_->certificates.front().get());
  for (std::size_t i = 1; i < parts_->certificates.size(); ++i) {
    SSL_CTX_add1_chain_cert(context, parts_->certificates[i].get());
  }
  SSL_CTX_use_PrivateKey(context, parts_->key.get());
}

void TlsSnapshot::set_server_name_indication(SSL* connection) const {
  if (!is_ip_address(parts_->server_name)) SSL_set_tlsext_host_name(connection, parts_->server_name.c_str());
}

bool TlsSnapshot::insecure() const {
  return parts_->insecure;
}

std::string TlsSnapshot::last_refusal() const {
  const MutexLock lock(parts_->mutex);
  return parts_->last_refusal;
}

std::string tls_error_text(int code) {
  const auto packed = static_cast<unsigned long>(static_cast<unsigned int>(code));
  if (ERR_GET_LIB(packed) != ERR_LIB_SSL) return {};
  const char* reason = ERR_reason_error_string(packed);
  return reason == nullptr ? "TLS error " + std::to_string(code) : reason;
}

}  // namespace convoke::kube
