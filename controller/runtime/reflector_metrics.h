// convoke_cache_*, by resource: is each cache complete, how long has its watch been silent, how often did it
// fail or start over. Made when they are asked for, out of what the reflectors know.
//
// Thread safety: from every thread, while the reflectors live. Ownership: clock and reflectors outlive this.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include "controller/base/clock.h"
#include "controller/runtime/reflector.h"

namespace convoke::runtime {

class ReflectorMetrics final : public prometheus::Collectable {
 public:
  ReflectorMetrics(Clock& clock, std::vector<const Reflector*> reflectors);
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  // Where several namespaces are watched, a resource has a reflector in each: the worst and the sum of them.
  std::map<std::string, ReflectorState> by_resource() const;

  Clock& clock_;
  const std::vector<const Reflector*> reflectors_;
};

}  // namespace convoke::runtime
