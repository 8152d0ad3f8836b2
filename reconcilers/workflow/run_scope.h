// What $( ) placeholders mean inside a run: params, steps, run and workflow.
//
// Only the steps that a template names are put into `steps`, so that starting one step of five hundred does
// not read five hundred results. Used by one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reconcilers/expression/template.h"
#include "reconcilers/workflow/run_rows.h"

namespace convoke::workflow {

class RunScope final : public expression::Scope {
 public:
  // Both outlive the scope.
  RunScope(const RunSnapshot& snapshot, const Rows& rows);

  // Fills `steps` with these, as they are now.
  void select_steps(const std::vector<std::size_t>& steps);
  const Json* find(const std::string& root) const override;

 private:
  Json result_of(std::size_t step) const;

  const RunSnapshot& snapshot_;
  const Rows& rows_;
  Json params_;
  Json steps_ = Json::object();
  Json run_;
  Json workflow_;
};

}  // namespace convoke::workflow
