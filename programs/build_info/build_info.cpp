#include "programs/build_info/build_info.h"

#include <CLI/Version.hpp>
#include <boost/version.hpp>
#include <cpprest/version.h>
#include <gnu/libc-version.h>
#include <nlohmann/json.hpp>
#include <openssl/crypto.h>
#include <prometheus/gauge.h>
#include <spdlog/version.h>

#include "programs/build_info/generated.h"

namespace convoke::programs {

namespace {

std::string dotted(int major, int minor, int patch) {
  return std::to_string(major) + '.' + std::to_string(minor) + '.' + std::to_string(patch);
}

std::string compiler() {
#ifdef __clang__
  return "clang++ " + dotted(__clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return "g++ " + dotted(__GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

// Those that are loaded as shared libraries may be newer than what they were compiled with; glibc and OpenSSL
// say so themselves.
std::vector<std::pair<std::string, std::string>> libraries() {
  return {
      {"Boost", dotted(BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100)},
      {"CLI11", CLI11_VERSION},
      {"cpprestsdk", dotted(CPPREST_VERSION_MAJOR, CPPREST_VERSION_MINOR, CPPREST_VERSION_REVISION)},
      {"glibc", gnu_get_libc_version()},
      {"nlohmann-json",
       dotted(NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)},
      {"OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING)},
      {"prometheus-cpp", CONVOKE_PROMETHEUS_VERSION},
      {"spdlog", dotted(SPDLOG_VER_MAJOR, SPDLOG_VER_MINOR, SPDLOG_VER_PATCH)},
      {"yaml-cpp", CONVOKE_YAML_VERSION},
  };
}

}  // namespace

const BuildInfo& build_info() {
  static const BuildInfo info{CONVOKE_VERSION, kBuildCommit, kBuildDate, compiler(), libraries()};
  return info;
}

std::string version_text(const std::string& program) {
  const auto& info = build_info();
  std::string text = program + ' ' + info.version + "\ncommit:    " + info.commit +
                     "\nbuilt:     " + info.date + "\ncompiler:  " + info.compiler + "\nlibraries: ";
  const char* separator = "";
  for (const auto& [name, version] : info.libraries) {
    text += separator + name + ' ' + version;
    separator = ", ";
  }
  return text + '\n';
}

void register_build_info(prometheus::Registry& registry) {
  const auto& info = build_info();
  prometheus::BuildGauge()
      .Name("convoke_build_info")
      .Help("What this build is, in its labels; always 1")
      .Register(registry)
      .Add({{"version", info.version},
            {"commit", info.commit},
            {"built", info.date},
            {"compiler", info.compiler}})
      .Set(1);
}

}  // namespace convoke::programs
