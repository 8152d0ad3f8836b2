#include "programs/kubectl-convoke/lint.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <streambuf>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/kube/temp_directory.h"
#include "tests/unit/programs/kubectl-convoke/lint_texts.h"

namespace convoke::plugin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using texts::lint;
using texts::object;
using texts::told;
using texts::workflow;

struct Answer {
  int status;
  std::string text;
  Json json() const { return Json::parse(text); }
};

Answer lint_files(std::vector<std::string> files, const std::string& input = "", bool json = false,
                  bool strict = false) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  const auto status = run_lint({std::move(files), strict, json}, {}, in, out, err);
  EXPECT_TRUE(status);
  return {status ? *status : -1, out.str()};
}

const std::string kGood = object("Task", "{name: t}", "{type: x}");
const std::string kBad = object("Task", "{name: bad}", "{typ: x}");

TEST(Lint, SaysNothingOfTheSamples) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(CONVOKE_SAMPLES)) {
    if (entry.path().extension() == ".yaml" && entry.path().parent_path().filename() == "samples") {
      files.push_back(entry.path());
    }
  }
  ASSERT_GE(files.size(), 4U);
  std::istringstream in;
  const auto read = read_manifests(files, in);
  const auto report = check_manifests(read.manifests);
  EXPECT_GE(report.checked, 4);
  for (const auto& finding : report.findings) {
    EXPECT_NE(finding.severity, Severity::Error) << finding.file << ":" << told(finding);
  }
  EXPECT_THAT(read.findings, IsEmpty());
  EXPECT_EQ(lint_files({CONVOKE_SAMPLES}).status, 0);
}

TEST(Lint, WhatIsNoYamlIsAFindingWithItsLine) {
  EXPECT_THAT(lint("a: [\nb"), ElementsAre(HasSubstr("this is not YAML")));
  EXPECT_THAT(lint_files({"-"}, "a: [\nb").text, testing::StartsWith("-:3:1: error: this is not YAML"));
  EXPECT_THAT(lint("kind: Task\n...\n,\n"), ElementsAre(HasSubstr("this is not YAML")));
}

TEST(Lint, OneDocumentThatIsNoYamlDoesNotHideTheOthers) {
  EXPECT_THAT(lint(kBad + "---\na: {b\n---\n" + kBad),
              ElementsAre(HasSubstr("4 error : this is not YAML"), HasSubstr("1 error spec: the field"),
                          HasSubstr("1 error spec.typ: unknown"),
                          HasSubstr("5 error metadata.name: there is another"),
                          HasSubstr("5 error spec: the field"), HasSubstr("5 error spec.typ")));
}

TEST(Lint, ObjectsOfOthersAreCountedOnly) {
  const auto answer = lint_files({"-"}, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n", true);
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.json()["skipped"], 1);
}

TEST(Lint, ExitStatusIsOneOnErrorsAndWithStrictOnWarnings) {
  const std::string text = workflow("  - name: a\n    task: {type: t}\n    timeout: 5h\n");
  EXPECT_EQ(lint_files({"-"}, text).status, 0);
  EXPECT_EQ(lint_files({"-"}, text, false, true).status, 1);
  EXPECT_EQ(lint_files({"-"}, kBad).status, 1);
}

TEST(Lint, WhereThereIsNoObjectAtAllIsAnError) {
  for (const char* text : {"", "# nothing\n", "---\n---\n"}) {
    const auto answer = lint_files({"-"}, text);
    EXPECT_EQ(answer.status, 1);
    EXPECT_EQ(answer.text, "-: error: there is no object in it\n");
  }
}

TEST(Lint, AFolderStandsForTheManifestsInIt) {
  const kube::TempDirectory folder;
  std::filesystem::create_directories(folder.path() + "/b/.git");
  std::ofstream(folder.path() + "/z.yaml") << kBad;
  std::ofstream(folder.path() + "/b/y.json") << R"({"apiVersion": "convoke.dev/v1alpha1", "kind": "Tsk"})";
  std::ofstream(folder.path() + "/b/.git/x.yaml") << kBad;
  std::ofstream(folder.path() + "/values.yaml") << "replicas: 3\n";
  std::ofstream(folder.path() + "/README.md") << "a: [";
  const auto answer = lint_files({folder.path()}, "", true);
  EXPECT_EQ(answer.status, 1);
  std::vector<std::string> files;
  const auto json = answer.json();
  for (const auto& finding : json["findings"]) files.push_back(finding["file"]);
  EXPECT_THAT(files,
              ElementsAre(folder.path() + "/b/y.json", folder.path() + "/z.yaml", folder.path() + "/z.yaml"));
}

TEST(Lint, AFileThatCannotBeReadDoesNotHideTheOthers) {
  const auto answer = lint_files({"/no/such/file", "-"}, kBad, true);
  EXPECT_EQ(answer.status, 2);
  const auto findings = answer.json()["findings"];
  ASSERT_EQ(findings.size(), 3U);
  EXPECT_EQ(findings[0]["file"], "-");
  EXPECT_EQ(findings[2]["file"], "/no/such/file");
  EXPECT_THAT(findings[2]["message"].get<std::string>(), testing::StartsWith("cannot be read"));
  EXPECT_EQ(lint_files({"/no/such/file", "-"}, kGood).status, 2);
}

// A device that fails in the middle.
class BrokenBuffer : public std::streambuf {
  int_type underflow() override { throw std::ios_base::failure("broken"); }
};

TEST(Lint, AStreamThatBreaksIsAnErrorAndNoCrash) {
  BrokenBuffer buffer;
  std::istream in(&buffer);
  std::ostringstream out;
  std::ostringstream err;
  const auto status = run_lint({{"-"}, false, false}, {}, in, out, err);
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, 2);
  EXPECT_THAT(out.str(), HasSubstr("cannot be read"));
}

TEST(Lint, BytesThatAreNoTextNeverReachTheTerminal) {
  const auto answer = lint_files({"-", "\xE9.yaml"}, "a: caf\xE9\n");
  EXPECT_EQ(answer.status, 2);
  EXPECT_THAT(answer.text,
              AllOf(HasSubstr("-:1:7: error: the byte 0xe9 is not UTF-8"), Not(HasSubstr("\xE9"))));
  EXPECT_THAT(lint_files({"-"}, "a: \"\\é\"\n").text, Not(HasSubstr("\xC3\n")));
  EXPECT_THAT(lint_files({"-"}, "a: \"x\x1b[31m\"\n").text, Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace convoke::plugin
