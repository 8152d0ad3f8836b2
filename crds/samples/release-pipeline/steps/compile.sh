#!/bin/sh
# Compiles the library and the program.
# Parameters: run, version, optimization. Outputs: buildDirectory, library, program, compiler.
. "$SAMPLE_DIR/steps/lib.sh"
need CONVOKE_PARAM_RUN CONVOKE_PARAM_VERSION
safe_name "$CONVOKE_PARAM_RUN"
safe_name "$CONVOKE_PARAM_VERSION"
optimization=${CONVOKE_PARAM_OPTIMIZATION:-2}

compiler=${CC:-cc}
command -v "$compiler" > /dev/null || die "there is no C compiler \"$compiler\": install one, or set CC"
flags="-std=c99 -Wall -Wextra -Werror -O$optimization"
build=$WORK_DIR/builds/$CONVOKE_PARAM_RUN
mkdir -p "$build"

progress 10 "compiling the library"
# shellcheck disable=SC2086 # the flags are a list
"$compiler" $flags -c "$SAMPLE_DIR/src/wordcount.c" -o "$build/wordcount.o"
progress 40 "archiving the library"
rm -f "$build/libwordcount.a"
ar rcs "$build/libwordcount.a" "$build/wordcount.o"
progress 60 "compiling and linking the program"
# shellcheck disable=SC2086
"$compiler" $flags "-DWORDCOUNT_VERSION=\"$CONVOKE_PARAM_VERSION\"" \
  "$SAMPLE_DIR/src/main.c" "$build/libwordcount.a" -o "$build/wordcount"
progress 100 "compiled"

outputs buildDirectory "$build" library "$build/libwordcount.a" program "$build/wordcount" \
  compiler "$("$compiler" --version | head -n 1)"
