#include "programs/kubectl-convoke/metadata_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::plugin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> metadata_problems(const std::string& metadata) {
  std::vector<std::string> lines;
  for (const auto& problem : check_metadata({{"metadata", Json::parse(metadata)}}))
    lines.push_back(problem.pointer + ": " + problem.message);
  return lines;
}

TEST(MetadataCheck, WhatTheApiServerTakesIsRight) {
  EXPECT_THAT(metadata_problems(
                  R"({"name": "a.b-1", "namespace": "n-1", "labels": {"app": "A_1", "x.io/y": "", "z": null},
                           "annotations": {"X.io/Y": "any text", "n": ""}, "finalizers": ["x.io/y"],
                           "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "n", "uid": "u"}],
                           "creationTimestamp": null, "generation": 1, "managedFields": []})"),
              IsEmpty());
  EXPECT_THAT(metadata_problems(R"({"generateName": "build-"})"), IsEmpty());
}

TEST(MetadataCheck, AnObjectNeedsAName) {
  EXPECT_THAT(check_metadata(Json::object()).size(), 1U);
  EXPECT_THAT(metadata_problems("null"), ElementsAre("/metadata: metadata.name is missing"));
  EXPECT_THAT(metadata_problems(R"({"name": ""})"), ElementsAre("/metadata: metadata.name is missing"));
  EXPECT_THAT(metadata_problems("[]"), ElementsAre("/metadata: must be of type object, not array"));
  EXPECT_THAT(metadata_problems(R"({"name": "My_Task"})"),
              ElementsAre(HasSubstr("/metadata/name: a name has")));
  EXPECT_THAT(metadata_problems(R"({"generateName": "X-"})"),
              ElementsAre(HasSubstr("/metadata/generateName: a name has")));
}

TEST(MetadataCheck, TypesAreThoseOfTheApi) {
  EXPECT_THAT(metadata_problems(R"({"name": 12345})"),
              ElementsAre("/metadata/name: must be of type string, not integer: put it in quotes"));
  EXPECT_THAT(metadata_problems(R"({"name": "a", "labels": ["a"], "annotations": "x", "finalizers": 3})"),
              ElementsAre("/metadata/labels: must be of type object, not array",
                          "/metadata/annotations: must be of type object, not string",
                          "/metadata/finalizers: must be of type array, not integer"));
  EXPECT_THAT(metadata_problems(
                  R"({"name": "a", "labels": {"x": 1}, "annotations": {"y": true}, "generation": "1"})"),
              ElementsAre("/metadata/generation: must be of type integer, not string",
                          "/metadata/labels/x: must be of type string, not integer: put it in quotes",
                          "/metadata/annotations/y: must be of type string, not boolean: put it in quotes"));
}

TEST(MetadataCheck, NamesKeysAndValuesHaveTheirForm) {
  EXPECT_THAT(metadata_problems(R"({"name": "a", "namespace": "Bad NS"})"),
              ElementsAre(HasSubstr("/metadata/namespace: \"Bad NS\" is no namespace")));
  EXPECT_THAT(metadata_problems(R"({"name": "a", "namespace": "a.b"})"),
              ElementsAre(HasSubstr("is no namespace")));
  EXPECT_THAT(metadata_problems(R"({"name": "a", "labels": {"bad key!": "ok", "X.io/y": "ok", "v": "x y"}})"),
              ElementsAre(HasSubstr("/metadata/labels/X.io~1y: \"X.io/y\" cannot be the key of a label"),
                          HasSubstr("\"bad key!\" cannot be the key of a label"),
                          HasSubstr("/metadata/labels/v: \"x y\" cannot be the value of a label")));
  EXPECT_THAT(metadata_problems(R"({"name": "a", "annotations": {"/": ""}})"),
              ElementsAre(HasSubstr("cannot be the key of an annotation")));
  EXPECT_THAT(metadata_problems(R"({"name": "a", "finalizers": ["not good"]})"),
              ElementsAre(HasSubstr("/metadata/finalizers/0")));
  EXPECT_THAT(metadata_problems(R"({"name": "a", "ownerReferences": [{"kind": "K"}]})").size(), 3U);
  EXPECT_THAT(metadata_problems(R"({"name": "a", "nmespace": "x"})"),
              ElementsAre("/metadata/nmespace: unknown field \"nmespace\"; did you mean \"namespace\"?"));
}

}  // namespace
}  // namespace convoke::plugin
