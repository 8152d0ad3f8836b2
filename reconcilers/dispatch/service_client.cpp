#include "reconcilers/dispatch/service_client.h"

#include <utility>

#include "controller/kube/base64.h"
#include "reconcilers/dispatch/http_answer.h"
#include "reconcilers/dispatch/reasons.h"

namespace convoke::dispatch {
namespace {

constexpr int kUnauthorized = 401;

// Whether a Secret's values may go to the agent's url.
Status check_origin(const Secret& secret, const std::string& name, const std::string& url) {
  const auto wanted = parse_address(url);
  if (!wanted) return Error{ErrorCode::Invalid, wanted.error().message, kube::kNotConnected};
  const auto allowed = parse_address(secret.origin);
  if (allowed && origin_of(allowed->server) == origin_of(wanted->server)) return {};
  return Error{ErrorCode::Forbidden,
               "Secret " + name + " does not say that it may be sent to " + origin_of(wanted->server) +
                   ": annotate it with " + kOriginAnnotation,
               reason::kSecretNotReadable};
}

// What ends a header, or begins another one, must not come from a Secret.
std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

ServiceClient::ServiceClient(kube::HttpClient& http, SecretReader& secrets, Clock& clock,
                             DispatchMetrics& metrics)
    : http_(http), secrets_(secrets), clock_(clock), metrics_(metrics) {}

Result<std::string> ServiceClient::authorization_of(const api::Agent& agent) {
  const api::HttpDispatch& service = agent.spec.dispatch.http;
  const std::string name = service.token_secret ? service.token_secret->name : service.basic_auth_secret;
  if (name.empty()) return std::string();
  const auto secret = secrets_.read({agent.meta.namespace_, name});
  if (!secret) return secret.error();
  if (auto allowed = check_origin(*secret, name, service.url); !allowed) return allowed.error();
  std::string authorization;
  if (service.token_secret) {
    const auto token = secret->value(name, service.token_secret->key);
    if (!token) return token.error();
    authorization = "Bearer " + trimmed(*token);
  } else {
    const auto user = secret->value(name, "username");
    const auto password = secret->value(name, "password");
    if (!user) return user.error();
    if (!password) return password.error();
    authorization = "Basic " + kube::base64_encode(trimmed(*user) + ":" + trimmed(*password));
  }
  if (authorization.find_first_of("\r\n") != std::string::npos) {
    return Error{ErrorCode::Forbidden, "Secret " + name + " holds a token of several lines",
                 reason::kSecretNotReadable};
  }
  return authorization;
}

Result<ServiceClient::Access> ServiceClient::access_of(const api::Agent& agent) {
  Access access;
  const auto& ca = agent.spec.dispatch.http.ca_secret;
  if (ca) {
    const auto secret = secrets_.read({agent.meta.namespace_, ca->name});
    if (!secret) return secret.error();
    auto pem = secret->value(ca->name, ca->key);
    if (!pem) return pem.error();
    access.ca_pem = std::move(*pem);
  }
  auto authorization = authorization_of(agent);
  if (!authorization) return authorization.error();
  access.authorization = std::move(*authorization);
  return access;
}

Status ServiceClient::check_secrets(const api::Agent& agent) {
  const auto access = access_of(agent);
  if (!access) return access.error();
  return {};
}

void ServiceClient::forget_secrets(const api::Agent& agent) {
  const api::HttpDispatch& service = agent.spec.dispatch.http;
  const std::string& namespace_ = agent.meta.namespace_;
  if (service.token_secret) secrets_.forget({namespace_, service.token_secret->name});
  if (!service.basic_auth_secret.empty()) secrets_.forget({namespace_, service.basic_auth_secret});
}

Result<kube::HttpResponse> ServiceClient::send(const api::Agent& agent, const ServiceRequest& request,
                                               kube::HttpCancel& cancel) {
  const auto access = access_of(agent);
  if (!access) {
    Error error = access.error();
    if (error.reason.empty()) error.reason = kube::kNotConnected;
    return error;
  }
  auto answer = send_as(*access, request, cancel);
  if (!answer || answer->status != kUnauthorized || access->authorization.empty()) return answer;
  forget_secrets(agent);
  const auto renewed = access_of(agent);
  if (!renewed || *renewed == *access) return answer;
  return send_as(*renewed, request, cancel);
}

Result<kube::HttpResponse> ServiceClient::send_as(const Access& access, const ServiceRequest& request,
                                                  kube::HttpCancel& cancel) {
  const auto address = parse_address(request.address);
  if (!address) return Error{ErrorCode::Invalid, address.error().message, kube::kNotConnected};
  kube::HttpRequest message{request.method,   address->path,
                            request.body,     request.body.empty() ? "" : "application/json",
                            request.deadline, request.headers};
  if (!access.authorization.empty()) message.headers["Authorization"] = access.authorization;
  const MonotonicTime begin = clock_.monotonic_now();
  auto answer = http_.send({address->server, access.ca_pem}, message, cancel);
  metrics_.http_answered(answer ? answer->status : 0, clock_.monotonic_now() - begin);
  return answer;
}

}  // namespace convoke::dispatch
