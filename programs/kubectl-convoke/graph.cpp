#include "programs/kubectl-convoke/graph.h"

#include <set>

#include "programs/kubectl-convoke/json_view.h"
#include "programs/kubectl-convoke/style.h"

namespace convoke::plugin {
namespace {

constexpr std::size_t kMaxExpression = 60;

struct Edge {
  std::string from;
  std::string to;
  std::string label = {};
};

std::string shortened(const std::string& text) {
  return cut_to_width(one_line(text), kMaxExpression);
}

std::string items_of(const Json& for_each) {
  const auto items = text_at(for_each, "/items");
  return items.empty() ? text_at(for_each, "/range/from") + " to " + text_at(for_each, "/range/to") : items;
}

// What stands in a node, line by line.
std::vector<std::string> lines_of(const StepView& step) {
  std::vector<std::string> lines = {step.name};
  if (!step.kind.empty())
    lines.push_back(step.kind + (step.detail.empty() ? "" : ": " + shortened(step.detail)));
  if (!step.when.empty()) lines.push_back("when " + shortened(step.when));
  if (step.for_each.is_object()) lines.push_back("for each of " + shortened(items_of(step.for_each)));
  if (const auto until = text_at(step.repeat, "/until"); !until.empty()) {
    lines.push_back("repeat until " + shortened(until));
  }
  if (step.optional) lines.emplace_back("optional");
  return lines;
}

std::vector<Edge> edges_of(const WorkflowView& view) {
  std::vector<Edge> edges;
  for (const auto& step : view.steps) {
    for (const auto& before : step.depends_on) {
      const auto outcome = step.outcomes.find(before);
      const auto label = outcome == step.outcomes.end() ? "" : outcome->second;
      if (view.find(before) != nullptr) edges.push_back({before, step.name, label});
    }
    for (const auto& transition : step.transitions) {
      if (view.find(transition.to) == nullptr) continue;
      edges.push_back(
          {step.name, transition.to, transition.when.empty() ? "else" : shortened(transition.when)});
    }
  }
  return edges;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

// --- Mermaid ---

// Mermaid's own words and dashes would break as ids.
class Ids {
 public:
  explicit Ids(const WorkflowView& view) {
    for (std::size_t i = 0; i < view.steps.size(); ++i)
      ids_.emplace(view.steps[i].name, "s" + std::to_string(i));
  }
  const std::string& of(const std::string& step) const { return ids_.at(step); }

 private:
  std::map<std::string, std::string> ids_;
};

std::string mermaid_text(const std::string& text) {
  std::string escaped = replaced(text, "#", "#35;");
  for (const auto& [what, by] : {std::pair{"\"", "#quot;"}, {"<", "#lt;"}, {">", "#gt;"}}) {
    escaped = replaced(escaped, what, by);
  }
  return escaped;
}

std::string mermaid_node(const StepView& step) {
  std::string label;
  for (const auto& line : lines_of(step)) label += (label.empty() ? "" : "<br/>") + mermaid_text(line);
  if (step.kind == "approval") return "{{\"" + label + "\"}}";
  if (step.kind == "wait") return "([\"" + label + "\"])";
  if (step.kind == "workflow") return "[[\"" + label + "\"]]";
  return "[\"" + label + "\"]";
}

void mermaid_nodes(const WorkflowView& view, const Ids& ids, bool is_finally, const std::string& indent,
                   const std::map<std::string, std::string>& phases, std::string& text) {
  for (const auto& step : view.steps) {
    if (step.is_finally != is_finally) continue;
    const auto phase = phases.find(step.name);
    text += indent + ids.of(step.name) + mermaid_node(step);
    text += (phase == phases.end() ? "" : ":::" + phase->second) + "\n";
  }
}

bool has_finally(const WorkflowView& view) {
  for (const auto& step : view.steps) {
    if (step.is_finally) return true;
  }
  return false;
}

std::string draw_mermaid(const WorkflowView& view, const std::map<std::string, std::string>& phases) {
  const Ids ids(view);
  std::string text = "flowchart TD\n";
  if (has_finally(view)) {
    text += "  subgraph main [\"" + mermaid_text(view.name) + "\"]\n";
    mermaid_nodes(view, ids, false, "    ", phases, text);
    text += "  end\n  subgraph final [\"finally\"]\n";
    mermaid_nodes(view, ids, true, "    ", phases, text);
    text += "  end\n  main -.-> final\n";
  } else {
    mermaid_nodes(view, ids, false, "  ", phases, text);
  }
  for (const auto& edge : edges_of(view)) {
    text += "  " + ids.of(edge.from) + " -->" +
            (edge.label.empty() ? "" : "|\"" + mermaid_text(edge.label) + "\"|") + " " + ids.of(edge.to) +
            "\n";
  }
  for (const auto& step : view.steps) {
    if (step.compensate.empty()) continue;
    text += "  " + ids.of(step.name) + " -. undo .-> " + ids.of(step.name) + "_undo([\"" +
            mermaid_text(step.compensate) + "\"])\n";
  }
  std::set<std::string> used;
  for (const auto& [step, phase] : phases) used.insert(phase);
  for (const auto& phase : used) {
    text += "  classDef " + phase + " fill:" + fill_of(phase) + ",color:#fff,stroke:#30363d\n";
  }
  return text;
}

// --- DOT ---

std::string dot_text(const std::string& text) {
  return replaced(replaced(text, "\\", "\\\\"), "\"", "\\\"");
}

std::string dot_quoted(const std::string& text) {
  return "\"" + dot_text(text) + "\"";
}

const char* dot_shape(const std::string& kind) {
  if (kind == "approval") return "hexagon";
  if (kind == "wait") return "ellipse";
  return kind == "workflow" ? "box3d" : "box";
}

void dot_nodes(const WorkflowView& view, bool is_finally, const std::string& indent,
               const std::map<std::string, std::string>& phases, std::string& text) {
  for (const auto& step : view.steps) {
    if (step.is_finally != is_finally) continue;
    std::string label;
    for (const auto& line : lines_of(step)) label += (label.empty() ? "" : "\\n") + dot_text(line);
    text += indent + dot_quoted(step.name) + " [label=\"" + label + "\", shape=" + dot_shape(step.kind);
    if (const auto phase = phases.find(step.name); phase != phases.end()) {
      text += ", style=\"rounded,filled\", fillcolor=\"" + fill_of(phase->second) +
              "\", fontcolor=white, tooltip=" + dot_quoted(phase->second);
    }
    text += "];\n";
  }
}

std::string draw_dot(const WorkflowView& view, const std::map<std::string, std::string>& phases) {
  std::string text =
      "digraph " + dot_quoted(view.name) + " {\n  node [style=rounded, fontname=\"sans-serif\"];\n";
  dot_nodes(view, false, "  ", phases, text);
  if (has_finally(view)) {
    text += "  subgraph cluster_finally {\n    label=\"finally\";\n";
    dot_nodes(view, true, "    ", phases, text);
    text += "  }\n";
  }
  for (const auto& edge : edges_of(view)) {
    text += "  " + dot_quoted(edge.from) + " -> " + dot_quoted(edge.to);
    text += (edge.label.empty() ? "" : " [label=" + dot_quoted(edge.label) + "]") + ";\n";
  }
  for (const auto& step : view.steps) {
    if (step.compensate.empty()) continue;
    const auto undo = dot_quoted("undo " + step.name);
    text += "  " + undo + " [label=" + dot_quoted(step.compensate) + ", style=\"rounded,dashed\"];\n";
    text += "  " + dot_quoted(step.name) + " -> " + undo + " [style=dashed, label=\"undo\"];\n";
  }
  return text + "}\n";
}

}  // namespace

std::string draw(const WorkflowView& view, const std::map<std::string, std::string>& phases,
                 GraphFormat format) {
  return format == GraphFormat::Dot ? draw_dot(view, phases) : draw_mermaid(view, phases);
}

}  // namespace convoke::plugin
