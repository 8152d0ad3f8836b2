// Start-time fair queueing: whose turn it is among flows that each have work waiting, by weight and in
// O(log flows). A flow of weight 3 is served three times as often as one of weight 1, as long as both have
// work; one that had none begins at the present, so nobody saves up turns, and nobody who comes later waits
// for all that others brought before.
//
// Each flow has a virtual start; the lowest is next, and being served moves it by 1/weight. The virtual time
// is the start of the flow that was served last.
//
// Not thread-safe. Errors: none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace convoke::runtime {

class FairShare {
 public:
  struct Flow {
    double start = 0;
    std::size_t waiting = 0;
  };

  // One more piece of the flow's work waits. True if it is the only one: its start may have changed.
  bool join(const std::string& name) {
    const auto [found, is_new] = flows_.try_emplace(name);
    Flow& flow = found->second;
    if (flow.waiting++ > 0) return false;
    resting_.erase({flow.start, name});
    flow.start = std::max(flow.start, now_);
    ++busy_;
    return true;
  }

  // One piece less.
  void leave(const std::string& name) {
    const auto found = flows_.find(name);
    if (found == flows_.end() || found->second.waiting == 0 || --found->second.waiting > 0) return;
    --busy_;
    resting_.insert({found->second.start, name});
    forget_rested();
  }

  // The flow was served. While nobody else has work, nothing changes: false.
  bool serve(const std::string& name, double weight) {
    const auto found = flows_.find(name);
    if (found == flows_.end()) return false;
    Flow& flow = found->second;
    now_ = std::max(now_, flow.start);
    const bool alone = busy_ == (flow.waiting > 0 ? 1U : 0U);
    if (alone) return false;
    if (flow.waiting == 0) resting_.erase({flow.start, name});
    flow.start += 1 / weight;
    if (flow.waiting == 0) resting_.insert({flow.start, name});
    forget_rested();
    return true;
  }

  double start_of(const std::string& name) const {
    const auto found = flows_.find(name);
    return found == flows_.end() ? now_ : found->second.start;
  }
  std::size_t size() const { return flows_.size(); }

 private:
  // A flow without work is remembered only while it has had more than its share.
  void forget_rested() {
    while (!resting_.empty() && (busy_ == 0 || resting_.begin()->first <= now_)) {
      flows_.erase(resting_.begin()->second);
      resting_.erase(resting_.begin());
    }
  }

  std::map<std::string, Flow> flows_;
  std::set<std::pair<double, std::string>> resting_;  // flows without work
  std::size_t busy_ = 0;                              // flows with work
  double now_ = 0;
};

}  // namespace convoke::runtime
