#include "programs/kubectl-convoke/workflow_view.h"

#include <algorithm>
#include <map>

#include "programs/kubectl-convoke/json_view.h"

namespace convoke::plugin {
namespace {

std::string list_of(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string approval_detail(const Json& approval) {
  const auto required = number_at(approval, "/required", 1);
  const auto approvers = texts_at(approval, "/approvers");
  std::string text = std::to_string(required) + (approvers.empty() ? "" : " of " + list_of(approvers));
  const auto timeout = text_at(approval, "/timeout");
  return timeout.empty() ? text : text + ", within " + timeout;
}

std::string wait_detail(const Json& wait) {
  for (const char* field : {"duration", "until"}) {
    if (auto text = text_at(wait, "/" + std::string(field)); !text.empty()) {
      return field == std::string("until") ? "until " + text : text;
    }
  }
  const auto event = text_at(wait, "/event/type");
  return event.empty() ? "" : "event " + event;
}

void read_kind(StepView& step) {
  for (const char* kind : {"task", "approval", "wait", "workflow"}) {
    const Json& part = value_at(step.json, "/" + std::string(kind));
    if (!part.is_object()) continue;
    step.kind = kind;
    if (step.kind == "task") step.detail = text_at(part, "/type");
    if (step.kind == "approval") step.detail = approval_detail(part);
    if (step.kind == "wait") step.detail = wait_detail(part);
    if (step.kind == "workflow") step.detail = text_at(part, "/name");
    return;
  }
}

StepView read_step(const Json& json) {
  StepView step;
  step.json = json;
  step.name = text_at(json, "/name");
  for (const auto& dependency : texts_at(json, "/dependsOn")) {
    // "build.Failed": with the outcome that is waited for. No name has a dot.
    const auto dot = dependency.find('.');
    step.depends_on.push_back(dependency.substr(0, dot));
    if (dot != std::string::npos) step.outcomes[step.depends_on.back()] = dependency.substr(dot + 1);
  }
  step.when = text_at(json, "/when");
  step.for_each = value_at(json, "/forEach");
  step.repeat = value_at(json, "/repeat");
  step.optional = flag_at(json, "/optional");
  step.compensate = text_at(json, "/compensate/type");
  for (const auto& transition : objects_at(json, "/transitions")) {
    step.transitions.push_back({text_at(transition, "/when"), text_at(transition, "/to")});
  }
  read_kind(step);
  return step;
}

void add_sequence(WorkflowView& view, std::size_t begin) {
  for (std::size_t i = begin + 1; i < view.steps.size(); ++i) {
    auto& depends_on = view.steps[i].depends_on;
    const auto& before = view.steps[i - 1].name;
    if (std::find(depends_on.begin(), depends_on.end(), before) == depends_on.end())
      depends_on.push_back(before);
  }
}

}  // namespace

const StepView* WorkflowView::find(const std::string& step) const {
  const auto found =
      std::find_if(steps.begin(), steps.end(), [&](const auto& one) { return one.name == step; });
  return found == steps.end() ? nullptr : &*found;
}

std::vector<std::vector<std::size_t>> WorkflowView::before() const {
  std::map<std::string, std::size_t> positions;
  for (std::size_t i = 0; i < steps.size(); ++i) positions.emplace(steps[i].name, i);
  std::vector<std::vector<std::size_t>> edges(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (const auto& dependency : steps[i].depends_on) {
      if (const auto found = positions.find(dependency); found != positions.end())
        edges[i].push_back(found->second);
    }
    for (const auto& transition : steps[i].transitions) {
      const auto found = positions.find(transition.to);
      if (found != positions.end() && found->second > i) edges[found->second].push_back(i);
    }
  }
  return edges;
}

std::vector<std::vector<std::size_t>> WorkflowView::layers() const {
  const auto edges = before();
  std::vector<bool> placed(steps.size(), false);
  std::vector<std::vector<std::size_t>> layers;
  const auto rest = [&](bool is_finally) {
    std::vector<std::size_t> layer;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (!placed[i] && steps[i].is_finally == is_finally) layer.push_back(i);
    }
    return layer;
  };
  const auto place = [&](bool is_finally) {
    while (!rest(is_finally).empty()) {
      std::vector<std::size_t> layer;
      for (std::size_t i = 0; i < steps.size(); ++i) {
        const bool ready =
            std::all_of(edges[i].begin(), edges[i].end(), [&](std::size_t e) { return placed[e]; });
        if (!placed[i] && steps[i].is_finally == is_finally && ready) layer.push_back(i);
      }
      if (layer.empty()) layer = rest(is_finally);  // a cycle
      for (const auto i : layer) placed[i] = true;
      layers.push_back(std::move(layer));
    }
  };
  place(false);
  place(true);
  return layers;
}

WorkflowView view_of(const std::string& name, const Json& spec) {
  WorkflowView view;
  view.name = name;
  view.mode = text_at(spec, "/mode").empty() ? "Graph" : text_at(spec, "/mode");
  view.parallelism = number_at(spec, "/parallelism", 10);
  for (const auto& step : objects_at(spec, "/steps")) view.steps.push_back(read_step(step));
  if (view.mode == "Sequential") add_sequence(view, 0);
  for (const auto& json : objects_at(spec, "/finally")) {
    view.steps.push_back(read_step(json));
    view.steps.back().is_finally = true;
  }
  return view;
}

}  // namespace convoke::plugin
