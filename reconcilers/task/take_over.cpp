#include "reconcilers/task/take_over.h"

#include <memory>
#include <utility>

namespace convoke::task {
namespace {

Status refresh(kube::Client& client, runtime::Store<api::Task>& tasks, const std::string& namespace_,
               api::TaskPhase phase) {
  kube::ListOptions options;
  options.field_selector = std::string("status.phase=") + api::to_string(phase);
  do {
    Result<kube::ListPage> page = client.list(api::kTask, namespace_, options);
    if (!page) {
      return page.error().with_context("listing the Tasks that agents have");
    }
    for (const Json& object : page->items) {
      tasks.overlay(std::make_shared<const api::Task>(api::Task::from_json(object)));
    }
    options.continue_token = page->continue_token;
  } while (!options.continue_token.empty());
  return {};
}

}  // namespace

Status refresh_live_tasks(kube::Client& client, runtime::Store<api::Task>& tasks,
                          const std::vector<std::string>& namespaces) {
  for (const std::string& namespace_ : namespaces) {
    // In this order: a Task that an agent begins in between is found by the second list.
    for (const api::TaskPhase phase : {api::TaskPhase::Assigned, api::TaskPhase::Running}) {
      if (Status listed = refresh(client, tasks, namespace_, phase); !listed) {
        return listed;
      }
    }
  }
  return {};
}

}  // namespace convoke::task
