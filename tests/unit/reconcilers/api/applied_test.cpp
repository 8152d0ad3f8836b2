#include "reconcilers/api/applied.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace convoke::api {
namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;

kube::ObjectMeta labelled(const std::string& key, const std::string& value) {
  kube::ObjectMeta meta;
  meta.labels[key] = value;
  return meta;
}

kube::ObjectMeta annotated(const std::string& key, const std::string& value) {
  kube::ObjectMeta meta;
  meta.annotations[key] = value;
  return meta;
}

TEST(Applied, KnowsEveryToolByItsMark) {
  const Entries labels = {
      {"kustomize.toolkit.fluxcd.io/name", "apps"}, {"helm.toolkit.fluxcd.io/name", "apps"},
      {"argocd.argoproj.io/instance", "apps"},      {"app.kubernetes.io/instance", "apps"},
      {"app.kubernetes.io/managed-by", "Helm"},     {"applyset.kubernetes.io/part-of", "x-v1"}};
  for (const auto& [key, value] : labels) {
    EXPECT_TRUE(is_applied_by_a_tool(labelled(key, value))) << key;
  }
  const Entries annotations = {{"argocd.argoproj.io/tracking-id", "apps:convoke.dev/Task:default/build"},
                               {"meta.helm.sh/release-name", "apps"}};
  for (const auto& [key, value] : annotations) {
    EXPECT_TRUE(is_applied_by_a_tool(annotated(key, value))) << key;
  }
}

TEST(Applied, WhatAPersonOrAProgramCreatedIsItsOwn) {
  EXPECT_FALSE(is_applied_by_a_tool({}));
  EXPECT_FALSE(is_applied_by_a_tool(labelled("app.kubernetes.io/managed-by", "my-program")));
  EXPECT_FALSE(is_applied_by_a_tool(labelled("app.kubernetes.io/name", "build")));
  EXPECT_FALSE(is_applied_by_a_tool(annotated("kubectl.kubernetes.io/last-applied-configuration", "{}")));
}

}  // namespace
}  // namespace convoke::api
