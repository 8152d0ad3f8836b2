# Writes the commit and the date of this build to OUTPUT, if they changed. Run by every build with `cmake -P`:
#   -DOUTPUT=FILE -DSOURCE=CHECKOUT [-DCOMMIT=COMMIT]
# COMMIT is given where SOURCE is not a checkout (the image). The date is $SOURCE_DATE_EPOCH, else the commit's: never the
# time of the build, so that two builds are the same.

# git_says(VARIABLE ARGUMENT...): what git prints, or nothing
function(git_says variable)
  execute_process(COMMAND git -C ${SOURCE} ${ARGN}
    OUTPUT_VARIABLE output RESULT_VARIABLE code ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT code EQUAL 0)
    set(output "")
  endif()
  set(${variable} "${output}" PARENT_SCOPE)
endfunction()

set(date unknown)
if(NOT COMMIT)
  git_says(COMMIT rev-parse HEAD)
  if(COMMIT)
    git_says(changes status --porcelain --untracked-files=no)
    set(ENV{TZ} UTC)
    git_says(date log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd)
    if(changes)
      string(APPEND COMMIT -modified)
    endif()
  else()
    set(COMMIT unknown)
  endif()
endif()
if(NOT "$ENV{SOURCE_DATE_EPOCH}" STREQUAL "")
  string(TIMESTAMP date "%Y-%m-%dT%H:%M:%SZ" UTC)
endif()

file(CONFIGURE OUTPUT ${OUTPUT} @ONLY NEWLINE_STYLE UNIX CONTENT [[
#include "programs/build_info/generated.h"

namespace convoke::programs {

const char* const kBuildCommit = "@COMMIT@";
const char* const kBuildDate = "@date@";

}  // namespace convoke::programs
]])
