// Whatever stands in an object, reading it never fails, says what is wrong and leaves everything else as it
// was.
#include <functional>

#include <gtest/gtest.h>

#include "reconcilers/api/agent.h"
#include "reconcilers/api/field_reader.h"
#include "reconcilers/api/workflow_run.h"
#include "tests/unit/reconcilers/api/manifests.h"

namespace convoke::api {
namespace {

struct Outcome {
  std::vector<std::string> malformed;
  Json body;  // of a status write
};

template <class T>
Outcome read(const Json& object) {
  const T value = T::from_json(object);
  return {value.malformed, status_update(value, value.status)};
}

struct Kind {
  const char* name;
  Json (*manifest)();
  Outcome (*read)(const Json&);
};

const Kind kKinds[] = {{"Agent", manifests::agent, read<Agent>},
                       {"Task", manifests::task, read<Task>},
                       {"Workflow", manifests::workflow, read<Workflow>},
                       {"WorkflowRun", manifests::workflow_run, read<WorkflowRun>}};

class HostileInput : public testing::TestWithParam<Kind> {};

Json nested(int depth) {
  Json value = 1;
  for (int i = 0; i < depth; ++i) {
    value = i % 2 == 0 ? Json::array({std::move(value)}) : Json{{"a", std::move(value)}};
  }
  return value;
}

const std::vector<Json>& hostile_values() {
  static const std::vector<Json> kValues = {nullptr,
                                            true,
                                            0,
                                            -1,
                                            1e300,
                                            1.5,
                                            std::numeric_limits<std::int64_t>::min(),
                                            std::numeric_limits<std::uint64_t>::max(),
                                            "",
                                            "\xff\xfe not UTF-8 \x80",
                                            "\U0001F680\u202e\u0000",
                                            std::string(64 * 1024, 'x'),
                                            Json::array(),
                                            Json::array({Json::array()}),
                                            Json::array({nullptr, 1, "x", Json::object()}),
                                            Json::object(),
                                            {{"name", 1}, {"a", {{"b", nullptr}}}},
                                            nested(100)};
  return kValues;
}

// Every place inside `value`, the parts of lists and objects included.
void collect_places(const Json& value, const Json::json_pointer& place,
                    std::vector<Json::json_pointer>& places) {
  places.push_back(place);
  if (value.is_object()) {
    for (const auto& [key, child] : value.items()) {
      collect_places(child, place / key, places);
    }
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      collect_places(value[i], place / i, places);
    }
  }
}

std::vector<Json::json_pointer> places_of(const Json& manifest) {
  std::vector<Json::json_pointer> places;
  collect_places(manifest, Json::json_pointer(), places);
  return places;
}

TEST_P(HostileInput, InAnyFieldIsReadWrittenAndReadAgain) {
  const Json manifest = GetParam().manifest();
  for (const Json::json_pointer& place : places_of(manifest)) {
    for (const Json& hostile : hostile_values()) {
      Json object = manifest;
      object[place] = hostile;
      const Outcome first = GetParam().read(object);
      EXPECT_LE(first.malformed.size(), kMaxProblems);
      for (const std::string& problem : first.malformed) {
        EXPECT_LE(problem.size(), 300U) << "a problem must stay short, at " << place;
      }
      // A status is stable: reading what was written gives the same again, or writes would never end.
      Json written = manifest;
      written["status"] = first.body["status"];
      EXPECT_EQ(GetParam().read(written).body["status"], first.body["status"])
          << place << " := " << dump_json(hostile).substr(0, 100);
    }
  }
}

// A type that fits nowhere but where anything goes: a list of lists in a scalar or object, a number in a
// list.
Json wrong_type_for(const Json& value) {
  return value.is_array() ? Json(7) : Json::array({Json::array()});
}

bool is_free_form(const std::string& place) {
  for (const char* prefix :
       {"/apiVersion", "/kind", "/metadata", "/spec/parameters/", "/spec/parameters/0/default",
        "/spec/parameters/0/enum/", "/spec/steps/0/task/", "/spec/subtasks/0/task/", "/spec/outputs/0/value",
        "/spec/workflowSpec/", "/spec/dispatch/job/template/", "/status/report/outputs/",
        "/spec/triggers/1/schedule/parameters/", "/spec/triggers/2/event/parameters/",
        "/spec/triggers/3/event/parameters/", "/spec/event/", "/status/report/extra", "/status/parameters/",
        "/status/outputs/"}) {
    if (place.rfind(prefix, 0) == 0) {
      return true;
    }
  }
  return false;
}

TEST_P(HostileInput, OfTheWrongTypeIsDescribedOnceAndNothingElseIsLost) {
  const Json manifest = GetParam().manifest();
  for (const Json::json_pointer& place : places_of(manifest)) {
    const bool parameters_of_a_workflow = std::string(GetParam().name) == "Workflow" &&
                                          place.to_string().rfind("/spec/parameters/0", 0) == 0 &&
                                          place.to_string().find("/default") == std::string::npos &&
                                          place.to_string().find("/enum/") == std::string::npos;
    if (is_free_form(place.to_string()) && !parameters_of_a_workflow) {
      continue;
    }
    Json object = manifest;
    object[place] = wrong_type_for(manifest[place]);
    const Outcome outcome = GetParam().read(object);
    ASSERT_EQ(outcome.malformed.size(), 1U) << place;
    if (!place.empty() && place.back().find_first_not_of("0123456789") != std::string::npos) {
      EXPECT_NE(outcome.malformed[0].find(place.back()), std::string::npos) << outcome.malformed[0];
    }
  }
}

TEST_P(HostileInput, NullMeansAbsent) {
  const Json manifest = GetParam().manifest();
  for (const Json::json_pointer& place : places_of(manifest)) {
    const std::string key = place.empty() ? "" : place.back();
    if (key.find_first_not_of("0123456789") == std::string::npos || key == "tier" || key == "deploy-prod" ||
        key == "gpus") {
      continue;  // an item of a list or of a map
    }
    Json object = manifest;
    object[place] = nullptr;
    EXPECT_EQ(GetParam().read(object).malformed, std::vector<std::string>{}) << place;
  }
}

TEST_P(HostileInput, UnknownFieldsAreIgnored) {
  Json object = GetParam().manifest();
  object["spec"]["fieldOfTheFuture"] = {{"mode", "HTTP"}};
  object["status"]["stateOfTheFuture"] = 7;
  EXPECT_EQ(GetParam().read(object).malformed, std::vector<std::string>{});
}

TEST_P(HostileInput, InThousandsStaysAShortList) {
  Json object = GetParam().manifest();
  Json conditions = Json::array();
  for (int i = 0; i < 10'000; ++i) {
    conditions.push_back(i);
  }
  object["status"]["conditions"] = conditions;
  const Outcome outcome = GetParam().read(object);
  ASSERT_EQ(outcome.malformed.size(), kMaxProblems);
  EXPECT_EQ(outcome.malformed.back(), "status.conditions[19]: and more");
}

TEST(HostileParameters, OfAMebibyteAndAHundredLevelsAreKeptAsTheyAre) {
  Json object = manifests::task();
  object["spec"]["parameters"] = {{"big", std::string(1024 * 1024, 'x')}, {"deep", nested(100)}};
  const Task task = Task::from_json(object);
  EXPECT_EQ(task.malformed, std::vector<std::string>{});
  EXPECT_EQ(spec_to_json(task.spec)["parameters"], object["spec"]["parameters"]);
}

INSTANTIATE_TEST_SUITE_P(EveryKind, HostileInput, testing::ValuesIn(kKinds),
                         [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace convoke::api
