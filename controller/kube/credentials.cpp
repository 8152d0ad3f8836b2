#include "controller/kube/credentials.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <utility>

#include "controller/kube/base64.h"

namespace convoke::kube {
namespace {

constexpr Duration kLookEvery = std::chrono::minutes(1);
constexpr Duration kLookAgainAfterFailure = std::chrono::seconds(10);
constexpr Duration kPluginAtMostEvery = std::chrono::seconds(10);
// A credential that expires on the way to the server is of no use.
constexpr Duration kExpiryMargin = std::chrono::seconds(10);

Result<std::string> read_credential_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file || text.str().empty()) {
    return {ErrorCode::Invalid, "file " + path + (file.is_open() ? " is empty" : " cannot be read")};
  }
  return text.str();
}

Result<std::string> read_pem(const PemSource& source, const char* what) {
  if (source.file.empty()) return source.data;
  auto text = read_credential_file(source.file);
  if (!text) return text.error().with_context(what);
  return text;
}

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// A line break in a token would let it write headers of its own.
bool fits_into_a_header(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

}  // namespace

Result<std::unique_ptr<Credentials>> Credentials::make(const ClusterConfig& config, Clock& clock, Logger log,
                                                       PluginRunner run_plugin) {
  const auto server = parse_server_url(config.server);
  if (!server) return server.error().with_context(config.source);
  std::unique_ptr<Credentials> credentials(
      new Credentials(config, *server, clock, std::move(log), std::move(run_plugin)));
  // A plugin may need the network or minutes: it is first run when it is first needed.
  if (config.exec) return credentials;
  const auto identity = credentials->current();
  if (!identity) return identity.error();
  return credentials;
}

Credentials::Credentials(const ClusterConfig& config, const ServerUrl& server, Clock& clock, Logger log,
                         PluginRunner run_plugin)
    : config_(config),
      clock_(clock),
      log_(std::move(log)),
      run_plugin_(std::move(run_plugin)),
      server_(server),
      refreshed_(clock.make_condition()),
      next_look_(clock.monotonic_now()) {}

Result<std::shared_ptr<const Identity>> Credentials::current() {
  return get(nullptr);
}

Result<std::shared_ptr<const Identity>> Credentials::after_refusal(
    const std::shared_ptr<const Identity>& refused) {
  return get(refused.get());
}

Result<std::shared_ptr<const Identity>> Credentials::get(const Identity* refused) {
  {
    const MutexLock lock(mutex_);
    if (!begin_refresh(refused)) {
      if (!is_usable() && last_error_) return *last_error_;
      return identity_;
    }
  }
  return end_refresh(read_material(refused != nullptr));
}

bool Credentials::begin_refresh(const Identity* refused) {
  const auto must_change = [&]() REQUIRES(mutex_) {
    return refused != nullptr ? identity_.get() == refused : !is_usable();
  };
  while (refreshing_ && must_change()) refreshed_->wait(mutex_);
  if (refreshing_) return false;
  const bool due = clock_.monotonic_now() >= next_look_ || (!is_usable() && !last_error_);
  if (!due && (refused == nullptr || identity_.get() != refused)) return false;
  refreshing_ = true;
  return true;
}

bool Credentials::is_usable() const {
  return identity_ != nullptr && (!expires_ || clock_.wall_now() + kExpiryMargin < *expires_);
}

Result<std::shared_ptr<const Identity>> Credentials::end_refresh(const Result<Material>& material) {
  std::optional<Error> error;
  std::shared_ptr<const Identity> result;
  std::shared_ptr<const TlsSnapshot> tls;
  bool tls_unchanged = false;
  {
    const MutexLock lock(mutex_);
    tls = identity_ ? identity_->tls : nullptr;
    tls_unchanged = identity_ != nullptr && material && material->tls == tls_inputs_;
  }
  if (material && server_.https && !tls_unchanged) {
    auto made = TlsSnapshot::make(material->tls);
    if (made) {
      tls = std::move(*made);
    } else {
      error = made.error();
    }
  }
  if (!material) error = material.error();
  if (error) error = error->with_context(config_.source);

  bool usable = true;
  {
    const MutexLock lock(mutex_);
    refreshing_ = false;
    next_look_ = clock_.monotonic_now() + (error ? kLookAgainAfterFailure : kLookEvery);
    last_error_ = error;
    if (!error) {
      expires_ = material->expires;
      tls_inputs_ = material->tls;
      const bool same =
          identity_ && identity_->tls == tls && identity_->authorization == material->authorization;
      if (!same) identity_ = std::make_shared<const Identity>(Identity{material->authorization, tls});
    }
    usable = is_usable();
    result = identity_;
    refreshed_->notify_all();
  }
  if (!error) return result;
  if (!usable) return *error;
  log_.warn("Credentials cannot be read again; the last ones stay in use", {{"error", error->message}});
  return result;
}

Result<Credentials::Material> Credentials::read_material(bool forced) {
  Material material;
  material.tls.server_name = config_.tls_server_name.empty() ? server_.host : config_.tls_server_name;
  material.tls.insecure = config_.insecure_skip_tls_verify;
  const std::array<std::pair<const PemSource*, std::string*>, 3> sources{{
      {&config_.certificate_authority, &material.tls.ca_pem},
      {&config_.client_certificate, &material.tls.certificate_pem},
      {&config_.client_key, &material.tls.key_pem},
  }};
  const std::array names{"certificate authority", "client certificate", "client key"};
  for (std::size_t i = 0; i < sources.size(); ++i) {
    auto text = read_pem(*sources[i].first, names[i]);
    if (!text) return text.error();
    *sources[i].second = std::move(*text);
  }
  std::string token;
  if (config_.exec) {
    if (auto ran = run_plugin_if_needed(material.tls.ca_pem, forced); !ran) return ran.error();
    token = plugin_credential_->token;
    material.expires = plugin_credential_->expires;
    if (!plugin_credential_->client_certificate.empty()) {
      material.tls.certificate_pem = plugin_credential_->client_certificate;
      material.tls.key_pem = plugin_credential_->client_key;
    }
  } else {
    auto read = read_token();
    if (!read) return read.error();
    token = std::move(*read);
  }
  if (!fits_into_a_header(token))
    return {ErrorCode::Invalid, "the bearer token holds line breaks or the like"};
  if (!token.empty()) {
    material.authorization = "Bearer " + token;
  } else if (!config_.username.empty()) {
    material.authorization = "Basic " + base64_encode(config_.username + ":" + config_.password);
  }
  return material;
}

Result<std::string> Credentials::read_token() const {
  if (config_.token_file.empty()) return config_.token;
  const auto text = read_credential_file(config_.token_file);
  if (!text) return text.error().with_context("bearer token");
  return trimmed(*text);
}

Status Credentials::run_plugin_if_needed(const std::string& ca_pem, bool forced) {
  const auto now = clock_.monotonic_now();
  const auto& has = plugin_credential_;
  const bool expired = !has || (has->expires && clock_.wall_now() + kExpiryMargin >= *has->expires);
  const bool refused = forced && now - plugin_ran_ >= kPluginAtMostEvery;
  if (!expired && !refused) return {};
  plugin_ran_ = now;
  const auto output = run_plugin_(*config_.exec, exec_info_for(*config_.exec, config_, ca_pem));
  if (!output) return output.error();
  auto credential = parse_exec_credential(*config_.exec, *output);
  if (!credential) return credential.error();
  plugin_credential_ = std::move(*credential);
  return {};
}

}  // namespace convoke::kube
