// Items of several flows, in turns between the flows (fair_share.h) and in order within each. O(log).
//
// Not thread-safe. Ownership: items are referred to, not owned; what orders them does not change while they
// are in. Errors: none.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "controller/runtime/fair_share.h"

namespace convoke::runtime {

template <class Item, class Order>
class FairQueue {
 public:
  void insert(const std::string& flow, Item* item) {
    std::set<Item*, Order>& items = flows_[flow];
    items.insert(item);
    if (share_.join(flow)) turns_.insert({share_.start_of(flow), flow});
    ++size_;
  }

  // False if it is not in.
  bool erase(const std::string& flow, Item* item) {
    const auto found = flows_.find(flow);
    if (found == flows_.end() || found->second.erase(item) == 0) return false;
    left(found);
    return true;
  }

  // The flow whose turn it is; there is one.
  const std::string& next_flow() const { return turns_.begin()->second; }

  // Takes the next item out. `weight`: of next_flow().
  Item* pop(double weight) {
    const std::string flow = next_flow();
    const auto found = flows_.find(flow);
    Item* const item = *found->second.begin();
    const double before = share_.start_of(flow);
    if (share_.serve(flow, weight)) {
      turns_.erase({before, flow});
      turns_.insert({share_.start_of(flow), flow});
    }
    found->second.erase(found->second.begin());
    left(found);
    return item;
  }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

 private:
  using Flows = std::map<std::string, std::set<Item*, Order>>;

  void left(typename Flows::iterator flow) {
    if (flow->second.empty()) turns_.erase({share_.start_of(flow->first), flow->first});
    share_.leave(flow->first);
    if (flow->second.empty()) flows_.erase(flow);
    --size_;
  }

  Flows flows_;
  FairShare share_;
  std::set<std::pair<double, std::string>> turns_;  // of the flows that have items
  std::size_t size_ = 0;
};

}  // namespace convoke::runtime
