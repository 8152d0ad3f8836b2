// Every command, from its options to its output. Start here to read programs/kubectl-convoke.
//
// Errors: for people, as each command's header says.
#pragma once

#include <iosfwd>

#include "programs/kubectl-convoke/command_line.h"
#include "programs/kubectl-convoke/context.h"
#include "programs/kubectl-convoke/definition_files.h"

namespace convoke::plugin {

// What a command reads before anything else, so that a wrong file is told before a wrong cluster.
// NOLINTNEXTLINE(bugprone-exception-escape): moving a Json checks an invariant and throws nothing.
struct Inputs {
  DefinitionFiles manifests;  // of `plan` and `graph`
  Json parameters;            // of `run`'s file; null: none
};
// `in`: for files that are called "-".
Result<Inputs> read_inputs(const Invocation& invocation, std::istream& in);

// Whether it can do without a cluster.
bool is_offline(const Invocation& invocation, const Inputs& inputs);

// The exit status. `in`: for the files of `lint`.
Result<int> run_offline(const Invocation& invocation, const Inputs& inputs, const Style& style,
                        std::istream& in, std::ostream& out, std::ostream& err);
Result<int> run_command(const Context& context, const Invocation& invocation, const Inputs& inputs);

// The error of a cluster that cannot be asked, with what can be done without one.
Error without_cluster(Error error, const Invocation& invocation);

}  // namespace convoke::plugin
