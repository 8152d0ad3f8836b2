#include "programs/kubectl-convoke/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace convoke::plugin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

WorkflowView view(const std::string& spec) {
  return view_of("w", Json::parse(spec));
}

constexpr char kGraphSpec[] = R"({"steps": [
  {"name": "build", "task": {"type": "compile"}, "compensate": {"type": "clean"}},
  {"name": "ask", "approval": {"required": 2}, "dependsOn": ["build"]},
  {"name": "end", "task": {"type": "say \"hi\""}, "when": "a < b", "dependsOn": ["ask"]}],
  "finally": [{"name": "sweep", "task": {"type": "rm"}}]})";

TEST(Graph, MermaidHasEveryStepEdgeAndColour) {
  const auto text =
      draw(view(kGraphSpec), {{"build", "Succeeded"}, {"ask", "Running"}}, GraphFormat::Mermaid);
  EXPECT_THAT(text,
              AllOf(HasSubstr("flowchart TD"), HasSubstr("s0[\"build<br/>task: compile\"]:::Succeeded"),
                    HasSubstr("s1{{\"ask<br/>approval: 2\"}}:::Running"), HasSubstr("s0 --> s1"),
                    HasSubstr("say #quot;hi#quot;"), HasSubstr("a #lt; b"), HasSubstr("subgraph final"),
                    HasSubstr("s0 -. undo .-> s0_undo([\"clean\"])"), HasSubstr("classDef Succeeded fill:")));
}

TEST(Graph, DotQuotesWhatIsInNames) {
  const auto text = draw(view(kGraphSpec), {{"build", "Failed"}}, GraphFormat::Dot);
  EXPECT_THAT(text, AllOf(HasSubstr("digraph \"w\" {"), HasSubstr("\"build\" -> \"ask\";"),
                          HasSubstr("say \\\"hi\\\""), HasSubstr("fillcolor=\"#da3633\""),
                          HasSubstr("cluster_finally")));
}

TEST(Graph, ASequenceHasTheEdgesThatItsModeMeans) {
  const auto text =
      draw(view(R"({"mode": "Sequential", "steps": [{"name": "a", "task": {}}, {"name": "b", "task": {}}]})"),
           {}, GraphFormat::Dot);
  EXPECT_THAT(text, HasSubstr("\"a\" -> \"b\""));
}

TEST(Graph, AStateMachineHasItsTransitions) {
  const auto machine = view(R"({"mode": "StateMachine", "steps": [
    {"name": "a", "task": {}, "transitions": [{"when": "x", "to": "b"}, {"to": "a"}]}, {"name": "b", "task": {}}]})");
  EXPECT_THAT(draw(machine, {}, GraphFormat::Mermaid),
              AllOf(HasSubstr("s0 -->|\"x\"| s1"), HasSubstr("s0 -->|\"else\"| s0")));
  EXPECT_THAT(machine.layers(), ElementsAre(ElementsAre(0), ElementsAre(1)));
}

TEST(Graph, AnOutcomeThatIsWaitedForIsOnItsEdge) {
  const auto text = draw(view(R"({"steps": [{"name": "a", "task": {}},
    {"name": "b", "task": {}, "dependsOn": ["a.Failed"], "forEach": {"range": {"from": 1, "to": 3}}}]})"),
                         {}, GraphFormat::Mermaid);
  EXPECT_THAT(text, AllOf(HasSubstr("s0 -->|\"Failed\"| s1"), HasSubstr("for each of 1 to 3")));
}

TEST(WorkflowView, LayersEndAlsoWithACycle) {
  const auto cyclic = view(
      R"({"steps": [{"name": "a", "dependsOn": ["b"]}, {"name": "b", "dependsOn": ["a"]}, {"name": "c"}]})");
  EXPECT_THAT(cyclic.layers(), ElementsAre(ElementsAre(2), ElementsAre(0, 1)));
}

TEST(WorkflowView, FinallyComesAfterAllElse) {
  const auto layers = view(kGraphSpec).layers();
  ASSERT_EQ(layers.size(), 4U);
  EXPECT_THAT(layers.back(), ElementsAre(3));
}

}  // namespace
}  // namespace convoke::plugin
