// A fake clock, a fake API server with Convoke's types and one client, for the tests in this folder.
#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/fake_api_types.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/raw_api.h"

namespace convoke::fakes {

inline const kube::ResourceType kTestTask{"convoke.dev", "v1alpha1", "tasks", "Task", true};
inline const kube::ResourceType kTestWorkflow{"convoke.dev", "v1alpha1", "workflows", "Workflow", true};
inline const kube::ResourceType kTestConfigMap{"", "v1", "configmaps", "ConfigMap", true};

class ApiTest : public testing::Test {
 protected:
  ApiTest() { register_convoke_types(server_); }

  static Json task(const std::string& name, Json spec = {{"type", "build"}}) {
    Json object = named({"ns", name});
    object["spec"] = std::move(spec);
    return object;
  }
  // Creates it and says which resourceVersion it got.
  std::string create(const Json& object) {
    const auto answer = api_.create(kTestTask, "ns", object);
    EXPECT_EQ(answer.status, 201) << answer.body;
    return answer.resource_version();
  }
  Json stored(const std::string& name) { return server_.object(kTestTask, {"ns", name}).value_or(nullptr); }

  FakeClock clock_;
  FakeApiServer server_{clock_};
  std::unique_ptr<kube::Transport> transport_ = server_.connect("client");
  RawApi api_{*transport_};
};

}  // namespace convoke::fakes
