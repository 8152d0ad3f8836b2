// A fake API server and all that a command of the plugin needs to talk to it.
#pragma once

#include <sstream>

#include <prometheus/registry.h>

#include "controller/kube/client_metrics.h"
#include "programs/kubectl-convoke/context.h"
#include "reconcilers/api/agent.h"
#include "reconcilers/api/workflow_run.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/fake_api_types.h"
#include "tests/fakes/fake_clock.h"

namespace convoke::plugin {

inline const kube::ResourceType kSelfReview{"authentication.k8s.io", "v1", "selfsubjectreviews",
                                            "SelfSubjectReview", false};

struct PluginWorld {
  PluginWorld() {
    fakes::register_convoke_types(server);
    fakes::TypeOptions reviews;
    reviews.has_status = false;
    reviews.counts_generation = false;
    reviews.set_defaults = [](Json& review) { review["status"]["userInfo"]["username"] = "alice"; };
    server.register_type(kSelfReview, reviews);
  }

  Json put(const kube::ResourceType& type, const std::string& name, Json spec, Json status = Json()) {
    Json object = {{"metadata", {{"name", name}, {"namespace", "default"}}}, {"spec", std::move(spec)}};
    if (!status.is_null()) object["status"] = std::move(status);
    return server.put(type, std::move(object));
  }
  Json get(const kube::ResourceType& type, const std::string& name) const {
    return server.object(type, {"default", name}).value_or(Json());
  }
  // The real server answers a review and stores nothing.
  void forget_reviews() { server.remove(kSelfReview, {"", "who-am-i"}); }
  Context context(bool json = false) { return {cluster, clock, *random, stop, out, err, {}, json, false}; }

  fakes::FakeClock clock;
  fakes::FakeApiServer server{clock};
  std::unique_ptr<Random> random = make_seeded_random(1);
  prometheus::Registry registry;
  kube::ClientMetrics metrics{registry, "fake"};
  std::unique_ptr<kube::Transport> transport = server.connect("plugin");
  kube::Client client{*transport, clock, *random, metrics, {"kubectl-convoke"}};
  Cluster cluster{client, "default"};
  StopSignal stop{clock};
  std::ostringstream out;
  std::ostringstream err;
};

}  // namespace convoke::plugin
