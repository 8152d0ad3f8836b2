#include "programs/kubectl-convoke/watch.h"

#include <map>
#include <ostream>

#include <sys/ioctl.h>
#include <unistd.h>

#include "controller/base/time_format.h"
#include "programs/kubectl-convoke/json_view.h"
#include "programs/kubectl-convoke/live_world.h"
#include "reconcilers/api/workflow_run.h"

namespace convoke::plugin {
namespace {

using namespace std::chrono_literals;

// Durations grow while nothing else changes.
constexpr Duration kRedrawInterval = 1s;
constexpr Duration kStopCheck = 200ms;

struct Screen {
  std::size_t columns = 80;
  std::size_t lines = 24;
};

Screen screen_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {size.ws_col, size.ws_row};
}

// Draws over what it drew before.
class Canvas {
 public:
  explicit Canvas(std::ostream& out) : out_(out) {}
  void draw(std::vector<std::string> lines) {
    const auto screen = screen_size();
    if (screen.lines > 2 && lines.size() > screen.lines - 1) {
      const auto hidden = lines.size() - (screen.lines - 2);
      lines.resize(screen.lines - 2);
      lines.push_back("... " + std::to_string(hidden) + " more lines");
    }
    if (drawn_ > 0) out_ << "\x1b[" << drawn_ << "A";
    for (const auto& line : lines) out_ << "\x1b[2K" << cut_to_width(line, screen.columns) << "\n";
    out_ << "\x1b[J" << std::flush;
    drawn_ = lines.size();
  }

 private:
  std::ostream& out_;
  std::size_t drawn_ = 0;
};

// Percents move all the time: a line for each ten of them is enough.
std::string coarse(const std::string& progress) {
  return progress.size() >= 2 && progress.back() == '%' ? progress.substr(0, progress.size() - 2) : progress;
}

class Journal {
 public:
  explicit Journal(const Context& context) : context_(context) {}

  void tell(const TreeNode& node, const std::string& path, WallTime now) {
    const auto key = path.empty() ? node.name : path + "/" + node.name;
    const auto state = node.phase + "|" + node.agent + "|" + std::to_string(node.attempt) + "|" +
                       coarse(node.progress) + "|" + (node.kind == "WorkflowRun" ? "" : node.message);
    const bool is_change = node.kind != "More" && node.kind != "Attempt" && told_[key] != state;
    if (is_change) {
      told_[key] = state;
      write(node, key, now);
    }
    for (const auto& child : node.children) tell(child, key, now);
  }

 private:
  void write(const TreeNode& node, const std::string& path, WallTime now) const {
    if (context_.json) {
      TreeNode alone = node;
      alone.children.clear();
      Json json = to_json(alone, now);
      json["path"] = path;
      json["time"] = format_time(now);
      context_.out << dump_json(json) << "\n" << std::flush;
      return;
    }
    constexpr std::size_t kTimeAt = 11;
    constexpr std::size_t kTimeLength = 8;
    std::string line =
        format_time(now).substr(kTimeAt, kTimeLength) + "  " + path + "  " + context_.style.phase(node.phase);
    if (!node.agent.empty()) line += "  " + node.agent;
    if (node.attempt > 1) line += "  attempt " + std::to_string(node.attempt);
    if (!node.progress.empty()) line += "  " + node.progress;
    if (!node.message.empty()) line += "  " + node.message;
    context_.out << line << "\n" << std::flush;
  }

  const Context& context_;
  std::map<std::string, std::string> told_;
};

void print_outputs(const Context& context, const Json& run) {
  const Json& outputs = value_at(run, "/status/outputs");
  if (!outputs.is_object() || outputs.empty() || context.json) return;
  context.out << "\nOutputs\n";
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, value] : outputs.items()) rows.push_back({"  " + name, one_line(as_text(value))});
  for (const auto& line : align(rows)) context.out << line << "\n";
}

int finish(const Context& context, const Json& run) {
  const auto phase = phase_of(run);
  print_outputs(context, run);
  if (phase == "Succeeded") return kDone;
  if (!context.json) {
    context.err << "The run is " << phase << ". " << one_line(explanation_of(run))
                << "\n`kubectl convoke why run/" << name_of(run) << "` says more.\n";
  }
  return kSaysNo;
}

class Follower {
 public:
  Follower(const Context& context, std::string run, const TreeOptions& options)
      : context_(context),
        run_(std::move(run)),
        options_(options),
        live_(context.cluster.client(), context.clock, context.random, context.cluster.namespace_name()),
        canvas_(context.out),
        journal_(context) {
    live_.follow(run_);
  }

  Result<int> follow() {
    while (!context_.stop.stopped()) {
      const bool complete = live_.complete();
      const World world = live_.snapshot();
      tell_problem();
      if (complete) {
        const Json* run = world.run(run_);
        if (run == nullptr) return Error{ErrorCode::NotFound, "run " + run_ + " was deleted"};
        show(build_run(world, *run, options_));
        // What this snapshot began to follow is read before the end is told.
        if (has_ended(*run) && live_.complete()) return finish(context_, *run);
      }
      wait(context_.clock.monotonic_now() + (complete ? kRedrawInterval : kStopCheck));
    }
    return kInterrupted;
  }

 private:
  void show(const TreeNode& tree) {
    const auto now = context_.clock.wall_now();
    if (!context_.live) return journal_.tell(tree, "", now);
    auto lines = render(tree, context_.style, now);
    if (!problem_.empty()) lines.push_back(context_.style.yellow("trying again: " + one_line(problem_)));
    canvas_.draw(std::move(lines));
  }

  void tell_problem() {
    const auto problem = live_.problem();
    if (!problem.empty() && problem != problem_ && !context_.live) {
      context_.err << "trying again: " << one_line(problem) << "\n";
    }
    problem_ = problem;
  }

  // Until there is news, or `next_draw`.
  void wait(MonotonicTime next_draw) {
    while (!context_.stop.stopped() && context_.clock.monotonic_now() < next_draw &&
           !live_.wait(kStopCheck)) {
    }
  }

  const Context& context_;
  const std::string run_;
  const TreeOptions& options_;
  LiveWorld live_;
  Canvas canvas_;
  Journal journal_;
  std::string problem_;
};

}  // namespace

Result<int> watch_run(const Context& context, const std::string& run, const TreeOptions& options) {
  const auto found = context.cluster.find_any({&api::kWorkflowRun}, run);
  if (!found) return found.error();
  return Follower(context, name_of(found->object), options).follow();
}

}  // namespace convoke::plugin
