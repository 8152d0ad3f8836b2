// Checks what stands in one step of a definition, and finds which other steps it names.
//
// Pure; used by one thread. Errors: Invalid; the message names the field and the step.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "controller/kube/json.h"
#include "reconcilers/expression/template.h"
#include "reconcilers/workflow/definition.h"
#include "reconcilers/workflow/graph.h"

namespace convoke::workflow {

// Whether the names in an expression exist: params.<name>, steps.<name>, run, workflow, event, and `locals`.
class ReferenceCheck {
 public:
  // Both outlive this.
  ReferenceCheck(const Definition& definition, const std::set<std::string>& parameters)
      : definition_(definition), parameters_(parameters) {}

  // `path` is one use of a name in the expression `text`. Adds the step that it names to `used`.
  Status check(const std::string& text, const std::vector<std::string>& path, const std::string& field,
               const std::set<std::string>& locals, std::set<std::size_t>& used) const;

 private:
  Status check_step(const std::string& text, const std::vector<std::string>& path, const std::string& field,
                    std::set<std::size_t>& used) const;

  const Definition& definition_;
  const std::set<std::string>& parameters_;
};

class StepCheck {
 public:
  // Everything given outlives this. Fills the step's used_steps, undo_steps and programs of the definition.
  StepCheck(Definition& definition, const std::set<std::string>& parameters, const Ancestors& ancestors,
            const std::string& path, std::size_t step);

  Status check();

 private:
  enum class Uses { Before, BeforeAndItself, Any };

  Status check_kind();
  Status check_forms(const Json& task, const std::string& field);
  Status check_task(const api::RawJson& task, const std::string& name, Uses uses,
                    std::set<std::size_t>& used);
  Status check_approval();
  Status check_wait();
  Status check_sub_workflow();
  Status check_for_each();
  Status check_repeat();
  Status check_compensation();
  Status check_transitions();

  Status check_names(const std::vector<expression::Reference>& references, const std::string& field,
                     Uses uses, const std::set<std::string>& locals, std::set<std::size_t>& used) const;
  // The names in every template of `value`; whether there are any.
  Result<bool> check_template(const Json& value, const std::string& name, Uses uses,
                              std::set<std::size_t>& used) const;
  Status check_text(const std::string& text, const std::string& name);
  Status compile(const std::string& text, const std::string& name, Uses uses,
                 const std::set<std::string>& locals, cel::ProgramPtr& program);
  std::set<std::string> locals() const;
  Error invalid(const std::string& name, const std::string& what) const;
  Error not_before(std::size_t other, const std::string& field) const;

  Definition& definition_;
  const ReferenceCheck names_;
  const Ancestors& ancestors_;
  const std::string& path_;
  const std::size_t i_;
  const api::Step& step_;
  std::set<std::size_t> used_;
};

}  // namespace convoke::workflow
