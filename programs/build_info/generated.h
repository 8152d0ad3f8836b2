// The values that hack/cmake/build_info.cmake writes into a source file at every build. Only that file
// changes with the commit, so that nothing else is compiled again.
#pragma once

namespace convoke::programs {

extern const char* const kBuildCommit;
extern const char* const kBuildDate;

}  // namespace convoke::programs
