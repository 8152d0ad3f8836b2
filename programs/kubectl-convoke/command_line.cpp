#include "programs/kubectl-convoke/command_line.h"

#include <algorithm>

#include <CLI/CLI.hpp>

#include "controller/base/similar_word.h"
#include "programs/build_info/build_info.h"

namespace convoke::plugin {
namespace {

constexpr std::size_t kFlagColumn = 34;
constexpr char kTargetOfAll[] = "A run, Workflow or Task: NAME, run/NAME, workflow/NAME or task/NAME";

// What all commands that talk to a cluster share.
void add_cluster_flags(CLI::App& command, Invocation& invocation) {
  command.add_option("-n,--namespace", invocation.namespace_, "Namespace. Empty: that of the context");
  command.add_option("--context", invocation.context, "Context of the kubeconfig. Empty: its current one");
  command.add_option("--kubeconfig", invocation.kubeconfig,
                     "Kubeconfig file. Empty: $KUBECONFIG, then in-cluster credentials, then ~/.kube/config");
  command.add_flag("--allow-insecure", invocation.allow_insecure,
                   "Also where the kubeconfig says http:// or insecure-skip-tls-verify");
}

void add_output_flags(CLI::App& command, Invocation& invocation) {
  command.add_option("-o,--output", invocation.output, "json: for programs. Empty: for people")
      ->check(CLI::IsMember({"json"}));
  command.add_flag("--no-color", invocation.no_color,
                   "Neither colours nor glyphs; so it is too with $NO_COLOR, and where no terminal reads it");
}

class CommandLineBuilder {
 public:
  CommandLineBuilder(CLI::App& app, Invocation& invocation) : app_(app), invocation_(invocation) {}

  void build() {
    add_views();
    add_changes();
    add_rerun();
    add_start();
    add_files();
    app_.require_subcommand(1);
  }

 private:
  CLI::App& add(Command command, const std::string& name, const std::string& text, bool cluster = true) {
    auto& sub = *app_.add_subcommand(name, text);
    sub.get_formatter()->column_width(kFlagColumn);
    sub.callback([&invocation = invocation_, command] { invocation.command = command; });
    if (cluster) add_cluster_flags(sub, invocation_);
    return sub;
  }

  CLI::App& with_output(CLI::App& command) {
    add_output_flags(command, invocation_);
    return command;
  }

  void add_views() {
    auto& tree =
        with_output(add(Command::Tree, "tree",
                        "Shows a run with its steps, Tasks, subtasks, sub-runs and attempts; a Workflow with "
                        "its runs; or, without a name, all of a namespace"));
    tree.add_option("TARGET", invocation_.target, kTargetOfAll);
    tree.add_flag("-A,--all-namespaces", invocation_.all_namespaces, "Without TARGET: of every namespace");
    tree.add_flag("--all", invocation_.all, "Every Task of a fan-out, not only the ten that matter most");

    auto& watch =
        with_output(add(Command::Watch, "watch",
                        "Shows a run live until it has ended. Exit status: 0 if it succeeded, 1 if not"));
    watch.add_option("RUN", invocation_.target, "The run")->required();
    watch.add_flag("--all", invocation_.all, "Every Task of a fan-out, not only the ten that matter most");

    auto& why = with_output(add(
        Command::Why, "why", "Says what a Task or run waits for, or why it ended so, and what you can do"));
    why.add_option("TARGET", invocation_.target, "A Task or run: NAME, task/NAME or run/NAME")->required();

    auto& graph = add(Command::Graph, "graph",
                      "Draws the steps of a Workflow, or of a run in the colours of its phases");
    graph.add_option("TARGET", invocation_.target, "A Workflow or run: NAME, workflow/NAME or run/NAME");
    graph.add_option("-f,--file", invocation_.files, "A manifest instead; \"-\" is standard input")
        ->expected(1);
    graph
        .add_option("--workflow", invocation_.workflow,
                    "With -f: the one of that name. Empty: the first one of the file")
        ->needs("--file");
    graph.add_option("-o,--output", invocation_.output, "What draws it [mermaid]")
        ->check(CLI::IsMember({"mermaid", "dot"}));
  }

  void add_changes() {
    for (const bool approve : {true, false}) {
      auto& command =
          with_output(add(approve ? Command::Approve : Command::Reject, approve ? "approve" : "reject",
                          approve ? "Approves a step of a run that waits for it, in your name"
                                  : "Rejects a step of a run that waits for approval, in your name"));
      command.add_option("RUN", invocation_.target, "The run")->required();
      command.add_option("STEP", invocation_.step, "The step. Empty: the one that waits");
      command.add_option("-m,--comment", invocation_.text, "Why, for others to read");
    }

    auto& cancel =
        with_output(add(Command::Cancel, "cancel", "Cancels a run or Task; that cannot be taken back"));
    cancel.add_option("TARGET", invocation_.target, "A run or Task: NAME, run/NAME or task/NAME")->required();
    cancel.add_option("-m,--reason", invocation_.text, "Why, for others to read");
    cancel
        .add_option("--compensate", invocation_.compensate,
                    "true: undo the steps of the run that are done. Empty: nothing is undone, also where "
                    "its Workflow has onFailure: Compensate")
        ->type_name("BOOLEAN");
    cancel.add_flag("--force", invocation_.force,
                    "End `finally` too, also of a run that was cancelled before");

    auto& suspend =
        with_output(add(Command::Suspend, "suspend", "Holds a run, Task, or the triggers of a Workflow"));
    suspend.add_option("TARGET", invocation_.target, kTargetOfAll)->required();
    auto& resume = with_output(add(Command::Resume, "resume", "Lets go on what was suspended"));
    resume.add_option("TARGET", invocation_.target, kTargetOfAll)->required();

    auto& retry = with_output(
        add(Command::Retry, "retry",
            "Runs again what did not succeed in a run that has ended; `rerun` starts a new run like it"));
    retry.add_option("RUN", invocation_.target, "The run")->required();
    retry
        .add_option("--step", invocation_.steps,
                    "From this step on, also if it succeeded; may be given several times")
        ->take_all()
        ->allow_extra_args(false);
  }

  // One value after each flag: what stands behind it is the command's own argument.
  void add_parameters(CLI::App& command, const char* help) {
    command.add_option("-p,--param", invocation_.parameters, help)->take_all()->allow_extra_args(false);
  }

  // What `run` and `rerun` share.
  void add_start_flags(CLI::App& command, const char* parameters, const char* revision) {
    add_parameters(command, parameters);
    command.add_option("--name", invocation_.name, "Name of the run. Empty: WORKFLOW and some digits");
    command.add_option("--revision", invocation_.revision, revision);
    command.add_flag("-w,--wait", invocation_.wait,
                     "Show it live until it has ended. Exit status: 0 if it succeeded, 1 if not");
    command.add_flag("--dry-run", invocation_.dry_run,
                     "Only check the parameters, and print what would be created");
  }

  void add_start() {
    auto& run = with_output(add(Command::Run, "run", "Starts a run of a Workflow"));
    run.add_option("WORKFLOW", invocation_.target, "The Workflow")->required();
    add_start_flags(run, "name=value, as the type of the parameter is read; may be given several times",
                    "An earlier definition: the name of a ControllerRevision");
    run.add_option("-f,--params-file", invocation_.parameters_file,
                   "YAML or JSON file of parameters, which -p goes before; \"-\" is standard input");
  }

  void add_rerun() {
    auto& rerun = with_output(add(Command::Rerun, "rerun",
                                  "Starts a new run like an earlier one: its Workflow, its parameters, its "
                                  "event; `retry` goes on with the run itself"));
    rerun.add_option("RUN", invocation_.target, "The run")->required();
    add_start_flags(rerun, "name=value instead of what the run was given; may be given several times",
                    "Another definition: the name of a ControllerRevision. Empty: the one that the run named "
                    "(spec.revision), else the Workflow as it is now");
    rerun
        .add_flag("--same-revision", invocation_.same_revision,
                  "The definition that the run executed (status.revision)")
        ->excludes("--revision");
  }

  void add_files() {
    auto& lint =
        with_output(add(Command::Lint, "lint",
                        "Says, without a cluster, all that the API server and the operator would say of "
                        "manifests. Exit status: 1 if there are errors",
                        false));
    lint.add_option("FILE", invocation_.files, "Manifests, or folders of them; \"-\" is standard input")
        ->required();
    lint.add_flag("--strict", invocation_.strict, "Warnings count as errors");

    auto& plan = with_output(
        add(Command::Plan, "plan",
            "Shows what a Workflow would do now: its steps in order, which agents qualify, what it "
            "is expected to cost and take. Exit status: 1 if the manifests are refused, as `lint` says"));
    plan.add_option("FILE", invocation_.files, "Manifests of Workflows or runs; \"-\" is standard input")
        ->required();
    plan.add_option("--workflow", invocation_.workflow, "Only the one of that name. Empty: all in the files");
    add_parameters(plan, "name=value; may be given several times");
    plan.add_flag("--offline", invocation_.offline, "Without a cluster: only the graph");
  }

  CLI::App& app_;
  Invocation& invocation_;
};

Status check(const Invocation& invocation) {
  const auto refuse = [](const char* message) { return Error{ErrorCode::Invalid, message}; };
  if (invocation.command == Command::Graph && invocation.target.empty() == invocation.files.empty()) {
    return refuse("graph needs either a Workflow or run, or a manifest with -f");
  }
  if (invocation.all_namespaces && !invocation.target.empty()) {
    return refuse("-A is for the tree of everything; an object has one namespace: name it with -n");
  }
  return {};
}

// CLI11 would only say that a command is missing.
Status check_command(const CLI::App& app, int argc, const char* const* argv) {
  const std::string word = argc > 1 ? argv[1] : "";
  if (word.empty() || word.starts_with("-")) return {};
  std::vector<std::string> names;
  std::string list;
  for (const auto* command : app.get_subcommands({})) {
    names.push_back(command->get_name());
    list += (list.empty() ? "" : ", ") + names.back();
  }
  if (std::find(names.begin(), names.end(), word) != names.end()) return {};
  const auto similar = most_similar(word, names);
  return Error{ErrorCode::Invalid,
               "there is no command \"" + word + "\"; " +
                   (similar.empty() ? "there are " + list : "did you mean \"" + similar + "\"?") +
                   " (see --help)"};
}

}  // namespace

Result<Invocation> read_command_line(int argc, const char* const* argv) {
  Invocation invocation;
  try {
    CLI::App app("Shows, explains, starts and steers the work of Convoke.", "kubectl convoke");
    app.get_formatter()->column_width(kFlagColumn);
    app.set_version_flag("--version", programs::version_text("kubectl-convoke"));
    CommandLineBuilder(app, invocation).build();
    if (auto known = check_command(app, argc, argv); !known) return known.error();
    try {
      app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
      invocation.print = app.help();
    } catch (const CLI::CallForAllHelp&) {
      invocation.print = app.help("", CLI::AppFormatMode::All);
    }
  } catch (const CLI::CallForVersion& version) {
    invocation.print = version.what();
  } catch (const CLI::Error& error) {
    return Error{ErrorCode::Invalid, std::string(error.what()) + " (see --help)"};
  }
  if (!invocation.print.empty()) return invocation;
  if (auto good = check(invocation); !good) return good.error();
  return invocation;
}

}  // namespace convoke::plugin
