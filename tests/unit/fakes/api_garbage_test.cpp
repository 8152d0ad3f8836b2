#include "tests/fakes/api_garbage.h"

#include "tests/unit/fakes/api_fixture.h"

namespace convoke::fakes {
namespace {

class ApiGarbage : public ApiTest {
 protected:
  // An owner of its own for the tests: a Workflow.
  Json make_owner(const std::string& name) { return server_.put(kTestWorkflow, named({"ns", name})); }

  static Json owner_reference(const Json& owner, bool blocks = false) {
    return {{"apiVersion", owner["apiVersion"]},
            {"kind", owner["kind"]},
            {"name", owner["metadata"]["name"]},
            {"uid", owner["metadata"]["uid"]},
            {"blockOwnerDeletion", blocks}};
  }

  static Json owned_task(const std::string& name, Json owners) {
    Json object = task(name);
    object["metadata"]["ownerReferences"] = std::move(owners);
    return object;
  }
};

TEST_F(ApiGarbage, DependentsGoWithTheirOwnerAndTheirDependentsToo) {
  const Json owner = make_owner("w");
  const auto child = api_.create(kTestTask, "ns", owned_task("child", Json::array({owner_reference(owner)})));
  create(owned_task("grandchild", Json::array({owner_reference(child.body)})));
  create(task("stranger"));
  api_.remove(kTestWorkflow, {"ns", "w"});
  const auto left = server_.objects(kTestTask);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0]["metadata"]["name"], "stranger");
}

TEST_F(ApiGarbage, ADependentStaysAsLongAsOneOwnerDoes) {
  const Json first = make_owner("first");
  const Json second = make_owner("second");
  create(owned_task("child", Json::array({owner_reference(first), owner_reference(second)})));
  server_.remove(kTestWorkflow, {"ns", "first"});
  EXPECT_FALSE(stored("child").is_null());
  server_.remove(kTestWorkflow, {"ns", "second"});
  EXPECT_TRUE(stored("child").is_null());
}

TEST_F(ApiGarbage, AChildOfAnOwnerThatIsGoneIsCollectedUnlessItsKindIsUnknown) {
  Json owner = make_owner("w");
  server_.remove(kTestWorkflow, {"ns", "w"});
  create(owned_task("late", Json::array({owner_reference(owner)})));
  EXPECT_TRUE(stored("late").is_null());
  owner["kind"] = "Mystery";
  create(owned_task("kept", Json::array({owner_reference(owner)})));
  EXPECT_FALSE(stored("kept").is_null());
}

TEST_F(ApiGarbage, AForegroundDeletionWaitsForBlockingDependents) {
  const Json owner = make_owner("w");
  Json child = owned_task("child", Json::array({owner_reference(owner, true)}));
  child["metadata"]["finalizers"] = {"convoke.dev/a"};
  create(child);
  api_.remove(kTestWorkflow, {"ns", "w"}, {{"propagationPolicy", "Foreground"}});
  EXPECT_TRUE(stored("child")["metadata"].contains("deletionTimestamp"));
  EXPECT_TRUE(server_.object(kTestWorkflow, {"ns", "w"}));
  api_.merge_patch(kTestTask, {"ns", "child"}, {{"metadata", {{"finalizers", nullptr}}}});
  EXPECT_TRUE(stored("child").is_null());
  EXPECT_FALSE(server_.object(kTestWorkflow, {"ns", "w"}));
}

TEST_F(ApiGarbage, AnOrphaningDeletionKeepsTheDependents) {
  const Json owner = make_owner("w");
  create(owned_task("child", Json::array({owner_reference(owner)})));
  api_.remove(kTestWorkflow, {"ns", "w"}, {{"propagationPolicy", "Orphan"}});
  EXPECT_FALSE(server_.object(kTestWorkflow, {"ns", "w"}));
  EXPECT_FALSE(stored("child")["metadata"].contains("ownerReferences"));
}

TEST_F(ApiGarbage, ItIsPutOffWhenSwitchedOff) {
  server_.set_garbage_collection(false);
  const Json owner = make_owner("w");
  create(owned_task("child", Json::array({owner_reference(owner)})));
  api_.remove(kTestWorkflow, {"ns", "w"});
  EXPECT_FALSE(stored("child").is_null());
  server_.collect_garbage();
  EXPECT_TRUE(stored("child").is_null());
}

}  // namespace
}  // namespace convoke::fakes
