#include "tests/unit/reconcilers/workflow/specs.h"

namespace convoke::workflow::specs {

Json step(const std::string& name, const std::vector<std::string>& depends_on, const Json& more) {
  Json result = {{"name", name}, {"task", {{"type", "work"}}}};
  if (!depends_on.empty()) {
    result["dependsOn"] = depends_on;
  }
  result.merge_patch(more);
  return result;
}

Json spec(std::vector<Json> steps, const Json& more) {
  Json result = {{"steps", std::move(steps)}};
  result.merge_patch(more);
  return result;
}

Json bare(const std::string& name, const Json& more, const std::vector<std::string>& depends_on) {
  Json result = step(name, depends_on, more);
  result.erase("task");
  return result;
}

Json with_parameter(const std::string& name, const std::string& type, std::vector<Json> steps, Json more) {
  more["parameters"] = {{{"name", name}, {"type", type}}};
  return spec(std::move(steps), more);
}

Json diamond(const Json& more) {
  return spec(
      {step("a"), step("b", {"a"}), step("c", {"a"}),
       step("d", {"b", "c"},
            {{"task",
              {{"parameters", {{"b", "$(steps.b.outputs.by)"}, {"text", "from $(steps.c.outputs.by)"}}}}}})},
      more);
}

Json chain(int length) {
  std::vector<Json> steps;
  for (int i = 0; i < length; ++i) {
    steps.push_back(step(
        "step-" + std::to_string(i),
        i == 0 ? std::vector<std::string>{} : std::vector<std::string>{"step-" + std::to_string(i - 1)}));
  }
  return spec(std::move(steps));
}

Result<DefinitionPtr> check(const Json& spec) {
  return parse_definition(dump_json(spec), "spec");
}

std::string problem_of(const Json& spec) {
  const auto result = check(spec);
  return result ? "" : result.error().message;
}

}  // namespace convoke::workflow::specs
