# shellcheck shell=sh
# What the steps share. Sourced, not run.
#
# Every step gets its parameters in CONVOKE_PARAM_<NAME> and reads nothing else but SAMPLE_DIR and WORK_DIR.
set -eu

# die MESSAGE: the step fails, and this is its error message.
die() {
  echo "$*" >&2
  exit 1
}

# need VARIABLE...: each must be set and not empty.
need() {
  for variable in "$@"; do
    eval "value=\${$variable:-}"
    [ -n "$value" ] || die "$variable is not set"
  done
}

# progress PERCENT TEXT
progress() {
  echo "$*" >> "${CONVOKE_PROGRESS:-/dev/null}"
  echo "$*"
}

# json_string TEXT: as a JSON string, quotes included.
json_string() {
  printf '%s' "$1" | tr -d '\000-\037' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$/"/'
}

# outputs NAME VALUE...: writes the step's outputs. A name that ends in "#" marks its value as a number.
outputs() {
  separator='{'
  while [ $# -gt 1 ]; do
    case $1 in
      *'#') printf '%s%s: %s' "$separator" "$(json_string "${1%#}")" "$2" ;;
      *) printf '%s%s: %s' "$separator" "$(json_string "$1")" "$(json_string "$2")" ;;
    esac
    separator=', '
    shift 2
  done > "${CONVOKE_OUTPUT:-/dev/stdout}"
  echo '}' >> "${CONVOKE_OUTPUT:-/dev/stdout}"
}

# bytes_of FILE
bytes_of() {
  wc -c < "$1" | tr -d ' '
}

# safe_name TEXT: fails unless the text can be part of a file's name.
safe_name() {
  case $1 in
    *[!A-Za-z0-9._-]* | .* | -* | '') die "\"$1\" is not a name: letters, digits, \".\", \"_\" and \"-\" only" ;;
  esac
}

need SAMPLE_DIR WORK_DIR
