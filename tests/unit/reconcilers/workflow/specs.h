// Short ways to write down definitions in tests.
#pragma once

#include <string>
#include <vector>

#include "controller/kube/json.h"
#include "reconcilers/workflow/definition.h"

namespace convoke::workflow::specs {

// A definition with this has no trigger: who wants a run creates it.
inline const Json kByHand = {{"triggers", Json::array()}};

// A step of type "work" with these dependencies; `more` is merged over it.
Json step(const std::string& name, const std::vector<std::string>& depends_on = {},
          const Json& more = Json::object());

// The same without a task.
Json bare(const std::string& name, const Json& more, const std::vector<std::string>& depends_on = {});

// {"steps": steps} with `more` merged over it.
Json spec(std::vector<Json> steps, const Json& more = Json::object());

// The same with one parameter, which is required.
Json with_parameter(const std::string& name, const std::string& type, std::vector<Json> steps,
                    Json more = Json::object());

// a -> {b, c} -> d, where d uses the outputs of b and c.
Json diamond(const Json& more = Json::object());

// step-0 -> step-1 -> ...
Json chain(int length);

Result<DefinitionPtr> check(const Json& spec);
// The message, or "" if the spec is valid.
std::string problem_of(const Json& spec);

}  // namespace convoke::workflow::specs
