// From a Task to the command that does it: arguments, environment, the private folder and the files in it.
//
// Thread safety: pure, except AttemptFolder, which belongs to one execution.
#pragma once

#include <string>
#include <vector>

#include "controller/base/result.h"
#include "programs/runner/config.h"
#include "programs/runner/process.h"
#include "programs/runner/report.h"
#include "reconcilers/api/task.h"

namespace convoke::runner {

// Empty if the runner can do a Task of that type with those parameters, else why not.
std::string unsupported(const RunnerConfig& config, const api::Task& task);

// A folder that only this user can read; removed with all that is in it.
class AttemptFolder {
 public:
  static Result<AttemptFolder> make(const std::string& parent);
  AttemptFolder(AttemptFolder&& other) noexcept;
  AttemptFolder& operator=(AttemptFolder&&) = delete;
  AttemptFolder(const AttemptFolder&) = delete;
  ~AttemptFolder();

  std::string output_file() const { return path_ + "/output.json"; }
  std::string progress_file() const { return path_ + "/progress"; }
  std::string scratch() const { return path_ + "/work"; }

  // The end of the progress file.
  std::string progress_tail() const;
  // What the command wrote to its output file; never more than is allowed.
  void read_output(CommandResult& result) const;

 private:
  explicit AttemptFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// `task` must be supported. `inherited` is the environment of the runner.
Command command_for(const RunnerConfig& config, const api::Task& task, const AttemptFolder& folder,
                    const std::vector<std::string>& inherited);
bool exit_code_is_final(const RunnerConfig& config, const std::string& type, int exit_code);

}  // namespace convoke::runner
