// What names mean inside a run: params, steps, run, workflow and event, and what a step adds to them (the
// item of a fan-out, the number of an iteration). For templates and for conditions.
//
// Only the steps that an expression names are put into `steps`, so that starting one step of five hundred
// does not read five hundred results. Used by one thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reconcilers/expression/cel/cel.h"
#include "reconcilers/expression/template.h"
#include "reconcilers/workflow/run_rows.h"

namespace convoke::workflow {

class RunScope final : public expression::Scope, public cel::Activation {
 public:
  // Both outlive the scope.
  RunScope(const RunSnapshot& snapshot, const Rows& rows);

  // Fills `steps` with these, as they are now.
  void select_steps(const std::vector<std::size_t>& steps);
  // Says something else of one step: what it has so far.
  void set_step(std::size_t step, Json result);
  // How the run ended so far, for `finally`.
  void set_outcome(api::RunPhase phase, const std::string& reason, const std::string& message);
  void set_local(const std::string& name, Json value) { locals_[name] = std::move(value); }
  void set_now(WallTime now) { now_ = now; }
  void clear_locals();

  const Json* find(const std::string& root) const override;
  std::optional<cel::Value> find(std::string_view root) const override;

 private:
  const RunSnapshot& snapshot_;
  const Rows& rows_;
  Json params_;
  Json steps_ = Json::object();
  Json run_;
  Json workflow_;
  std::optional<Json> event_;
  std::map<std::string, Json> locals_;
  std::optional<WallTime> now_;
};

}  // namespace convoke::workflow
