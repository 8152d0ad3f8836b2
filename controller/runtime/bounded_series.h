// Series by a label whose values people choose (types, names): at most a fixed number of values get series of
// their own, all others share those of "other", so that nobody can make /metrics grow without end. A value
// that is forgotten makes room for another. The empty value is shown as "none".
//
//   BoundedSeries<Series> by_agent(100, [&](const std::string& agent) { return Series(family, agent); },
//                                  [&](Series& gone) { family.Remove(&gone.counter); });
//   by_agent.with("default/builder", [](Series& series) { series.counter.Increment(); });
//
// Thread safety: all methods from every thread; the functions are called under one mutex and use nothing of
// this. Ownership: what the functions refer to outlives this.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "controller/base/mutex.h"

namespace convoke::runtime {

inline constexpr char kOtherLabel[] = "other";
inline constexpr char kNoLabel[] = "none";

template <class Series>
class BoundedSeries {
 public:
  using Make = std::function<Series(const std::string& label)>;
  using Drop = std::function<void(Series&)>;

  // The series of "other" exist from the start. Without `drop`, forget() does nothing.
  BoundedSeries(std::size_t max_values, Make make, Drop drop = {})
      : max_values_(max_values), make_(std::move(make)), drop_(std::move(drop)), other_(make_(kOtherLabel)) {}

  template <class Use>
  void with(const std::string& value, Use use) {
    const MutexLock lock(mutex_);
    use(find(value.empty() ? kNoLabel : value));
  }
  // Makes its series, so that they exist at 0 before something happens.
  void expect(const std::string& value) {
    with(value, [](Series&) {});
  }
  void forget(const std::string& value) {
    const MutexLock lock(mutex_);
    const auto known = series_.find(value);
    if (known != series_.end() && drop_) {
      drop_(known->second);
      series_.erase(known);
    }
  }

 private:
  Series& find(const std::string& label) REQUIRES(mutex_) {
    const auto known = series_.find(label);
    if (known != series_.end()) return known->second;
    if (label == kOtherLabel || series_.size() >= max_values_) return other_;
    return series_.emplace(label, make_(label)).first->second;
  }

  const std::size_t max_values_;
  const Make make_;
  const Drop drop_;
  Mutex mutex_;
  std::map<std::string, Series> series_ GUARDED_BY(mutex_);
  Series other_ GUARDED_BY(mutex_);
};

}  // namespace convoke::runtime
