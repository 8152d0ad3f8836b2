# shellcheck shell=bash
# Building Convoke: the packages, the build directories and ccache. Source it after common.sh; $repo is the checkout.

# What the build needs. The libraries are the ones the project is fixed to (CMakeLists.txt), all of Debian 12.
# shellcheck disable=SC2034 # used by those who source this
BUILD_PACKAGES=(g++ cmake ninja-build ccache pkg-config mold libcpprest-dev nlohmann-json3-dev libyaml-cpp-dev libssl-dev
  prometheus-cpp-dev libspdlog-dev libcli11-dev libexpected-dev libre2-dev libcctz-dev tzdata libboost-dev
  libcurl4-openssl-dev zlib1g-dev)

# A fresh clone in another folder finds what an earlier one compiled: paths below the checkout count as relative.
setup_ccache() {
  export CCACHE_DIR=${CCACHE_DIR:-$(cache_dir)/ccache}
  export CCACHE_BASEDIR=${repo:?} CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-5G}
}

# configure_build DIR [CMAKE-ARGUMENT...]: makes DIR ready to build in
configure_build() {
  local dir=$1
  shift
  setup_ccache
  mkdir -p -- "$dir"
  cmake -S "$repo" -B "$dir" -G Ninja -DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=mold "$@"
}

# build_targets DIR TARGET...: with progress; the output is in DIR/build.log
build_targets() {
  local dir=$1
  shift
  setup_ccache
  # The language is a part of ccache's keys: the same one for everybody.
  env -u LC_ALL -u LC_CTYPE -u LC_MESSAGES LANG=C.UTF-8 ninja -C "$dir" "$@"
}
