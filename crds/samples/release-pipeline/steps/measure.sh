#!/bin/sh
# Measures the code and what became of it.
# Parameters: library, program. Outputs: lines, functions, programBytes.
. "$SAMPLE_DIR/steps/lib.sh"
need CONVOKE_PARAM_LIBRARY CONVOKE_PARAM_PROGRAM

progress 20 "counting lines"
lines=$(cat "$SAMPLE_DIR"/src/*.c "$SAMPLE_DIR"/src/*.h | wc -l | tr -d ' ')
progress 50 "counting functions"
functions=$(nm --defined-only "$CONVOKE_PARAM_LIBRARY" | grep -c ' [Tt] ')
progress 80 "weighing the program"
bytes=$(bytes_of "$CONVOKE_PARAM_PROGRAM")
progress 100 "$lines lines, $functions functions, $bytes bytes"

outputs 'lines#' "$lines" 'functions#' "$functions" 'programBytes#' "$bytes"
