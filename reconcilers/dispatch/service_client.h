// Speaks to the service of an Agent of the mode HTTP: with its CA and its credentials, of its Secrets.
//
// Credentials go to the one origin that their Secret names, so that who may write Agents cannot have the
// operator send a Secret of others anywhere else. After a 401 they are read again, and if they are others by
// then the request is sent once more.
//
// Thread safety: all methods from every thread; they block as HttpClient says. Ownership: all that the
// constructor takes outlives it. Errors: those of HttpClient and SecretReader, the latter always before
// anything was sent.
#pragma once

#include <string>

#include "controller/kube/http_client.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/dispatch/dispatch_metrics.h"
#include "reconcilers/dispatch/secret_reader.h"

namespace convoke::dispatch {

struct ServiceRequest {
  std::string method;
  std::string address;  // of the agent's own origin
  std::map<std::string, std::string> headers = {};
  std::string body = {};  // JSON
  Duration deadline = std::chrono::seconds(30);
};

class ServiceClient {
 public:
  ServiceClient(kube::HttpClient& http, SecretReader& secrets, Clock& clock, DispatchMetrics& metrics);

  Result<kube::HttpResponse> send(const api::Agent& agent, const ServiceRequest& request,
                                  kube::HttpCancel& cancel);
  // Whether its Secrets can be had.
  Status check_secrets(const api::Agent& agent);

 private:
  struct Access {
    std::string ca_pem;
    std::string authorization;
    bool operator==(const Access&) const = default;
  };
  Result<Access> access_of(const api::Agent& agent);
  Result<std::string> authorization_of(const api::Agent& agent);
  void forget_secrets(const api::Agent& agent);
  Result<kube::HttpResponse> send_as(const Access& access, const ServiceRequest& request,
                                     kube::HttpCancel& cancel);

  kube::HttpClient& http_;
  SecretReader& secrets_;
  Clock& clock_;
  DispatchMetrics& metrics_;
};

}  // namespace convoke::dispatch
