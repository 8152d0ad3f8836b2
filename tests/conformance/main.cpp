// convoke-cel-conformance [--failures] FILE...: see hack/cel-conformance.

#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "tests/conformance/cel_cases.h"

namespace {

struct Count {
  int passed = 0;
  int failed = 0;
  int repaired = 0;  // of those that passed
};

void add(Count& count, const convoke::conformance::Outcome& outcome) {
  ++(outcome.problem.empty() ? count.passed : count.failed);
  count.repaired += outcome.is_repaired ? 1 : 0;
}

void print(const std::string& file, const Count& count) {
  std::printf("%-20s %7d %7d", file.c_str(), count.passed, count.failed);
  if (count.repaired > 0) {
    std::printf("  (%d of them against a repaired expected text: see --help)", count.repaired);
  }
  std::printf("\n");
}

int run(const std::vector<std::string>& paths, bool shows_failures) {
  std::map<std::string, Count> counts;
  Count total;
  for (const auto& path : paths) {
    const auto outcomes = convoke::conformance::run_file(path);
    if (!outcomes) {
      std::fprintf(stderr, "%s\n", outcomes.error().message.c_str());
      return 2;
    }
    for (const auto& outcome : *outcomes) {
      add(counts[outcome.file], outcome);
      add(total, outcome);
      if (shows_failures && !outcome.problem.empty()) {
        std::printf("%s/%s/%s\n  %s\n  %s\n", outcome.file.c_str(), outcome.section.c_str(),
                    outcome.name.c_str(), outcome.expression.c_str(), outcome.problem.c_str());
      }
    }
  }
  std::printf("%-20s %7s %7s\n", "file", "passed", "failed");
  for (const auto& [file, count] : counts) {
    print(file, count);
  }
  print("total", total);
  return total.failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  bool shows_failures = false;
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--failures") {
      shows_failures = true;
    } else {
      paths.push_back(argument);
    }
  }
  if (paths.empty()) {
    std::fprintf(stderr, "usage: convoke-cel-conformance [--failures] FILE...\n");
    return 2;
  }
  return run(paths, shows_failures);
}
