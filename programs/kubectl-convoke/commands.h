// Every command, from its options to its output. Start here to read programs/kubectl-convoke.
//
// Errors: for people, as each command's header says.
#pragma once

#include <iosfwd>

#include "programs/kubectl-convoke/command_line.h"
#include "programs/kubectl-convoke/context.h"

namespace convoke::plugin {

// Whether it can do without a cluster.
bool is_offline(const Invocation& invocation);

// The exit status. `in`: for files that are called "-".
Result<int> run_offline(const Invocation& invocation, const Style& style, std::istream& in, std::ostream& out,
                        std::ostream& err);
Result<int> run_command(const Context& context, const Invocation& invocation, std::istream& in);

}  // namespace convoke::plugin
