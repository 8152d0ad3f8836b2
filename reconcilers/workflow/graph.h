// The graph of a definition: which step waits for which. Pure and iterative.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace convoke::workflow {

// For each node, the nodes that it waits for.
using Graph = std::vector<std::vector<std::size_t>>;

// Every node after what it waits for; where the graph leaves a choice, the lower number first. Shorter than
// the graph if it has a cycle.
std::vector<std::size_t> topological_order(const Graph& graph);

// One cycle, in the order of waiting, beginning with its lowest node. The graph must have one.
std::vector<std::size_t> find_cycle(const Graph& graph, const std::vector<std::size_t>& order);

// For each node, all nodes that it waits for directly or through others: as a set with constant-time lookup.
class Ancestors {
 public:
  // `order` is the complete topological order.
  Ancestors(const Graph& graph, const std::vector<std::size_t>& order);
  bool contains(std::size_t node, std::size_t ancestor) const;

 private:
  std::size_t words_;
  std::vector<std::uint64_t> bits_;  // one row of `words_` for each node
};

}  // namespace convoke::workflow
