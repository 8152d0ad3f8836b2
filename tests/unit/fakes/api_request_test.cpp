#include "tests/fakes/api_request.h"

#include <gtest/gtest.h>

namespace convoke::fakes {
namespace {

TEST(ApiPath, OtherPathsAreNotResources) {
  for (const char* path :
       {"/", "/version", "/api", "/api/v1", "/apis/apps/v1", "/apis/a/v1/b/c/d/e/f", "/readyz"}) {
    EXPECT_FALSE(parse_path(path).is_resource) << path;
  }
}

TEST(ApiPath, ANamespacedObjectOfAGroup) {
  const auto path = parse_path("/apis/convoke.dev/v1alpha1/namespaces/ns/tasks/a/status");
  EXPECT_TRUE(path.is_resource);
  EXPECT_EQ(path.group, "convoke.dev");
  EXPECT_EQ(path.version, "v1alpha1");
  EXPECT_EQ(path.namespace_, "ns");
  EXPECT_EQ(path.plural, "tasks");
  EXPECT_EQ(path.name, "a");
  EXPECT_EQ(path.subresource, "status");
}

TEST(ApiPath, ACollectionOfAllNamespacesInTheCoreGroup) {
  const auto path = parse_path("/api/v1/configmaps");
  EXPECT_TRUE(path.is_resource);
  EXPECT_EQ(path.group, "");
  EXPECT_EQ(path.plural, "configmaps");
  EXPECT_EQ(path.namespace_, "");
  EXPECT_EQ(path.name, "");
}

TEST(ApiPath, NamespacesAreAResourceThemselves) {
  EXPECT_EQ(parse_path("/api/v1/namespaces").plural, "namespaces");
  const auto one = parse_path("/api/v1/namespaces/ns");
  EXPECT_EQ(one.plural, "namespaces");
  EXPECT_EQ(one.name, "ns");
  EXPECT_EQ(parse_path("/api/v1/namespaces/ns/status").subresource, "status");
}

TEST(ApiPath, TheQueryIsDecoded) {
  const auto path =
      parse_path("/api/v1/configmaps?labelSelector=a%20in%20%28b%2Cc%29&watch=true&empty=&x=1+2");
  EXPECT_EQ(path.path, "/api/v1/configmaps");
  EXPECT_EQ(path.parameter("labelSelector"), "a in (b,c)");
  EXPECT_TRUE(path.flag("watch"));
  EXPECT_FALSE(path.flag("empty"));
  EXPECT_EQ(path.parameter("x"), "1 2");
  EXPECT_EQ(path.parameter("absent"), "");
}

}  // namespace
}  // namespace convoke::fakes
