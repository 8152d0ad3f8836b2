#include "tests/bench/shape.h"

#include <string>

#include "tests/bench/load.h"

namespace convoke::bench {
namespace {

constexpr int kLayer = 50;

std::string step_name(int i) {
  return "s" + std::to_string(i);
}

Json step(int i) {
  return {{"name", step_name(i)}, {"task", {{"type", "bench"}}}};
}

Json chain(int size) {
  Json steps = Json::array();
  for (int i = 0; i < size; ++i) {
    steps.push_back(step(i));
    if (i > 0) steps.back()["dependsOn"] = {step_name(i - 1)};
  }
  return steps;
}

Json fan_out(int size) {
  Json one = step(0);
  one["forEach"] = {{"range", {{"from", 0}, {"to", size - 1}}}, {"as", "number"}};
  one["task"]["parameters"] = {{"number", "$(number)"}};
  return Json::array({std::move(one)});
}

Json graph(int size) {
  Json steps = Json::array();
  for (int i = 0; i < size; ++i) {
    steps.push_back(step(i));
    if (i < kLayer) continue;
    const int layer = i / kLayer, place = i % kLayer;
    const int above = (layer - 1) * kLayer;
    steps.back()["dependsOn"] = {step_name(above + place), step_name(above + (place + 1) % kLayer)};
  }
  return steps;
}

Json steps_of(const std::string& kind, int size) {
  if (kind == "chain") return chain(size);
  if (kind == "fan-out") return fan_out(size);
  if (kind == "graph") return graph(size);
  fail("no such shape: " + kind);
}

}  // namespace

Shape make_shape(const std::string& kind, int size, int parallelism) {
  return {"bench-" + kind + "-" + std::to_string(size),
          {{"steps", steps_of(kind, size)},
           {"parallelism", parallelism},
           {"timeout", "2h"},
           {"triggers", Json::array()},
           {"historyLimits", {{"succeeded", 10000}, {"failed", 10000}}}},
          size};
}

}  // namespace convoke::bench
