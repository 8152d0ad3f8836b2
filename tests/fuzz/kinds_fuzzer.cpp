// An object of the API server, read as each of the kinds.

#include "reconcilers/api/agent.h"
#include "reconcilers/api/task.h"
#include "reconcilers/api/workflow.h"
#include "reconcilers/api/workflow_run.h"
#include "reconcilers/workflow/definition.h"
#include "reconcilers/workflow/parameters.h"
#include "tests/fuzz/check.h"

namespace convoke::fuzz {
namespace {

// What was read may be mended when it is written (a condition without a reason gets one). What was written
// reads as it was meant and is written again as it stands: else the operator would write it for ever.
template <class T>
void read_and_write_back(const Json& object) {
  const T first = T::from_json(object);
  const Json written = status_update(first, first.status);
  const T second = T::from_json(written);
  const Json again = status_update(second, second.status);
  check(dump_json(again) == dump_json(written), "a status that is read and written again stays the same");
  check(T::from_json(again).status == second.status,
        "a status that is written reads as the one that was meant");
}

void task_spec_round_trip(const Json& object) {
  const Json written = spec_to_json(api::Task::from_json(object).spec);
  std::vector<std::string> malformed;
  const api::TaskSpec again = api::task_spec_from_json(written, "spec", malformed);
  check(malformed.empty(), "a Task's spec that is written is well formed: " + dump_json(written));
  check(dump_json(spec_to_json(again)) == dump_json(written),
        "a Task's spec stays the same when it is copied");
}

void definitions(const Json& object) {
  const api::Workflow workflow = api::Workflow::from_json(object);
  const auto definition = workflow::check_definition(workflow.spec);
  if (!definition) return check(!definition.error().message.empty(), "a refusal says why");
  const auto run = api::WorkflowRun::from_json(object);
  (void)workflow::resolve_parameters((*definition)->spec.parameters, run.spec.parameters);
}

}  // namespace
}  // namespace convoke::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convoke;
  const auto object = parse_json(fuzz::as_text(data, size));
  if (!object) return 0;
  fuzz::read_and_write_back<api::Agent>(*object);
  fuzz::read_and_write_back<api::Task>(*object);
  fuzz::read_and_write_back<api::Workflow>(*object);
  fuzz::read_and_write_back<api::WorkflowRun>(*object);
  fuzz::task_spec_round_trip(*object);
  fuzz::definitions(*object);
  return 0;
}
