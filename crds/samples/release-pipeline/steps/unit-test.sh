#!/bin/sh
# Runs the library's tests, and the program once.
# Parameters: buildDirectory, library, program, version. Outputs: passed.
. "$SAMPLE_DIR/steps/lib.sh"
need CONVOKE_PARAM_BUILDDIRECTORY CONVOKE_PARAM_LIBRARY CONVOKE_PARAM_PROGRAM CONVOKE_PARAM_VERSION
tests=$CONVOKE_PARAM_BUILDDIRECTORY/test_wordcount

progress 10 "compiling the tests"
"${CC:-cc}" -std=c99 -Wall -Wextra -Werror -I"$SAMPLE_DIR/src" "$SAMPLE_DIR/tests/test_wordcount.c" \
  "$CONVOKE_PARAM_LIBRARY" -o "$tests"

progress 50 "running the tests"
result=$("$tests") || die "tests failed: $result"
passed=${result#passed=}
passed=${passed%% *}

progress 90 "running the program"
version=$("$CONVOKE_PARAM_PROGRAM" --version)
[ "$version" = "wordcount $CONVOKE_PARAM_VERSION" ] || die "the program says \"$version\""
counted=$(printf 'one two\nthree\n' | "$CONVOKE_PARAM_PROGRAM" | tr -s ' ')
[ "$counted" = " 2 3 14 " ] || die "the program counted \"$counted\""
progress 100 "$passed checks passed"

outputs 'passed#' "$passed"
