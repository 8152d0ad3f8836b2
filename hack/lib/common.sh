# shellcheck shell=bash
# Small helpers that the scripts under hack/ share. Source it, do not run it:
#
#   source "$(dirname -- "${BASH_SOURCE[0]}")/lib/common.sh"
#
# Everything that is said to a person goes to stderr, so that the stdout of a script can be its result.
# Colours and the moving progress line are used on a terminal only, and not at all if NO_COLOR is set.

if [[ -n ${CONVOKE_COMMON_SH:-} ]]; then return 0; fi
CONVOKE_COMMON_SH=1

# --- output ---------------------------------------------------------------------------------------------------------

if [[ -t 2 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  C_BOLD=$'\e[1m' C_DIM=$'\e[2m' C_RED=$'\e[31m' C_GREEN=$'\e[32m' C_YELLOW=$'\e[33m' C_OFF=$'\e[0m'
else
  C_BOLD='' C_DIM='' C_RED='' C_GREEN='' C_YELLOW='' C_OFF=''
fi

step() { printf '%s==>%s %s\n' "$C_BOLD" "$C_OFF" "$*" >&2; }        # a new part of the work
log() { printf '    %s\n' "$*" >&2; }                                # a detail of it
ok() { printf '    %s%s%s\n' "$C_GREEN" "$*" "$C_OFF" >&2; }         # its good end
warn() { printf '%swarning:%s %s\n' "$C_YELLOW" "$C_OFF" "$*" >&2; }
error() { printf '%serror:%s %s\n' "$C_RED" "$C_OFF" "$*" >&2; }
die() {
  error "$@"
  exit 1
}

# human_time SECONDS: 7s, 3m05s
human_time() {
  if (($1 < 60)); then printf '%ds' "$1"; else printf '%dm%02ds' $(($1 / 60)) $(($1 % 60)); fi
}

# show_log_tail FILE [LINES]: the end of a log, indented, for an error report
show_log_tail() {
  [[ -s $1 ]] || return 0
  printf '%s--- the last lines of %s%s\n' "$C_DIM" "$1" "$C_OFF" >&2
  tail -n "${2:-20}" -- "$1" | cut -c1-400 | sed 's/^/    | /' >&2
}

# with_progress LABEL LOGFILE COMMAND...: runs COMMAND with its output in LOGFILE and shows what is being done and for how
# long: a line that moves on a terminal, else a line every 30 seconds. Returns COMMAND's exit code; shows the end of the
# log if that is not 0. The script must have `trap stop_progress EXIT`, or COMMAND outlives it.
with_progress() {
  local label=$1 logfile=$2 started=$SECONDS code=0
  shift 2
  set -m # a process group of its own, so that stop_progress reaches what COMMAND starts
  "$@" >>"$logfile" 2>&1 </dev/null &
  PROGRESS_PID=$!
  set +m
  if [[ -t 2 ]]; then
    _progress_line "$label" "$started"
  else
    log "$label ..."
    _progress_lines "$label" "$started"
  fi
  wait "$PROGRESS_PID" || code=$?
  PROGRESS_PID=''
  if ((code == 0)); then
    ok "$label: done in $(human_time $((SECONDS - started)))"
  else
    error "$label: failed with exit code $code after $(human_time $((SECONDS - started)))"
    show_log_tail "$logfile" 30
  fi
  return "$code"
}

PROGRESS_PID=''
_progress_line() {
  local frames='\|/-' i=0
  while kill -0 "$PROGRESS_PID" 2>/dev/null; do
    printf '\r    %s %s %s(%s)%s ' "${frames:i++%4:1}" "$1" "$C_DIM" "$(human_time $((SECONDS - $2)))" "$C_OFF" >&2
    sleep 0.2
  done
  printf '\r\e[K' >&2
}

_progress_lines() {
  local next=$(($2 + 30))
  while kill -0 "$PROGRESS_PID" 2>/dev/null; do
    sleep 0.2
    if ((SECONDS >= next)); then
      log "$1: still at work, $(human_time $((SECONDS - $2)))"
      next=$((SECONDS + 30))
    fi
  done
}

# stop_progress: ends the command of with_progress, and all that it started
stop_progress() {
  if [[ -n $PROGRESS_PID ]]; then kill -- "-$PROGRESS_PID" 2>/dev/null || true; fi
  PROGRESS_PID=''
}

# --- waiting --------------------------------------------------------------------------------------------------------

# wait_until SECONDS COMMAND...: runs COMMAND every 50 ms ($POLL_SECONDS) until it succeeds (0), or the time is over (1)
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    if ((SECONDS >= deadline)); then return 1; fi
    sleep "${POLL_SECONDS:-0.05}"
  done
}

# --- folders --------------------------------------------------------------------------------------------------------

# cache_dir: the folder for what is built or fetched once and may be thrown away at any time
cache_dir() { printf '%s/convoke\n' "${XDG_CACHE_HOME:-$HOME/.cache}"; }

# --- Debian packages ------------------------------------------------------------------------------------------------

# as_root COMMAND...: runs it as root, through sudo if need be
as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -- "$@"
  else
    error "this needs root, and there is no sudo: $*"
    return 1
  fi
}

_apt_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

_apt_update_once() {
  if [[ -n ${APT_UPDATED:-} ]]; then return 0; fi
  as_root apt-get update -qq >/dev/null
  APT_UPDATED=1
}

# need_apt PACKAGE...: installs those Debian packages that are missing; asks nothing
need_apt() {
  local missing=() package
  command -v dpkg-query >/dev/null || die "this is not a Debian-like system; please install by hand: $*"
  for package in "$@"; do
    _apt_installed "$package" || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then return 0; fi
  step "Installing Debian packages: ${missing[*]}"
  _apt_update_once
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# need_tool COMMAND [PACKAGE]: makes sure that COMMAND is there, from the Debian package PACKAGE (default: the same name)
need_tool() {
  command -v "$1" >/dev/null || need_apt "${2:-$1}"
}

# --- Go -------------------------------------------------------------------------------------------------------------

# The Go that is fetched where there is none that is new enough.
GO_FETCH_VERSION=1.26.8

# _go_version GO: its version as MAJOR.MINOR[.PATCH], or nothing if it does not run
_go_version() { GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null | sed -n 's/^go\([0-9.]*\).*/\1/p'; }

# version_at_least HAVE WANT: compares dotted numbers
version_at_least() { [[ $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

_go_fetched() { printf '%s/go-%s/bin/go\n' "$(cache_dir)" "$GO_FETCH_VERSION"; }

# _go_candidates: every place where a Go may be
_go_candidates() {
  command -v go || true
  printf '%s\n' /usr/local/go/bin/go "$HOME"/sdk/go*/bin/go /usr/lib/go-*/bin/go "$(_go_fetched)"
}

# _find_go MINIMUM: prints the first Go of at least that version
_find_go() {
  local go
  while IFS= read -r go; do
    [[ -x $go ]] || continue
    if version_at_least "$(_go_version "$go")" "$1"; then
      printf '%s\n' "$go"
      return 0
    fi
  done < <(_go_candidates)
  return 1
}

# _apt_go MINIMUM: prints the name of the newest golang-X.Y-go of at least that version that apt knows
_apt_go() {
  local name version
  while IFS= read -r name; do
    version=${name#golang-}
    if version_at_least "${version%-go}" "$1"; then
      printf '%s\n' "$name"
      return 0
    fi
  done < <(apt-cache pkgnames golang-1. 2>/dev/null | grep -E '^golang-1\.[0-9]+-go$' | sort -rV)
  return 1
}

# _fetch_go_with GO: fetches a newer Go as the module golang.org/toolchain, which any Go can, and prints its path. The old
# Go checks it against the checksum database; it only unpacks modules without their executable bits.
_fetch_go_with() {
  local platform module version dest temp
  platform=$("$1" env GOOS)-$("$1" env GOARCH)
  version="v0.0.1-go$GO_FETCH_VERSION.$platform"
  dest=$(dirname -- "$(dirname -- "$(_go_fetched)")")
  mkdir -p -- "$(cache_dir)"
  temp=$(mktemp -d -- "$dest.XXXXXX")
  step "Fetching Go $GO_FETCH_VERSION"
  (cd "$temp" && GO111MODULE=on GOFLAGS=-modcacherw GOTOOLCHAIN=local GOMODCACHE="$temp/mod" \
    "$1" mod download "golang.org/toolchain@$version" >&2) || { rm -rf -- "$temp"; return 1; }
  module="$temp/mod/golang.org/toolchain@$version"
  chmod -R u+w -- "$module"
  chmod +x -- "$module"/bin/* "$module"/pkg/tool/*/*
  rm -rf -- "$dest"
  mv -T -- "$module" "$dest"
  rm -rf -- "$temp"
}

# find_or_install_go MINIMUM: prints the path of a Go of at least that version. Takes the one that is there; else the one
# that apt has; else fetches one into the cache folder with whatever Go there is.
find_or_install_go() {
  local package old
  if _find_go "$1"; then return 0; fi
  need_tool apt-cache apt
  if ! package=$(_apt_go "$1"); then
    _apt_update_once
    package=$(_apt_go "$1") || package=''
  fi
  if [[ -n $package ]]; then
    need_apt "$package"
  else
    old=$(_find_go 1.13) || { need_apt golang-go ca-certificates && old=$(command -v go); }
    _fetch_go_with "$old" || die "Go $1 or later is needed, and could not be fetched"
  fi
  _find_go "$1" || die "Go $1 or later is needed, and was not found after installing it"
}
