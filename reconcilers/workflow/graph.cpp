#include "reconcilers/workflow/graph.h"

#include <algorithm>
#include <functional>
#include <queue>

namespace convoke::workflow {

std::vector<std::size_t> topological_order(const Graph& graph) {
  std::vector<std::size_t> waiting_for(graph.size());
  Graph dependents(graph.size());
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> free;
  for (std::size_t node = 0; node < graph.size(); ++node) {
    waiting_for[node] = graph[node].size();
    for (const std::size_t dependency : graph[node]) {
      dependents[dependency].push_back(node);
    }
    if (graph[node].empty()) {
      free.push(node);
    }
  }
  std::vector<std::size_t> order;
  order.reserve(graph.size());
  while (!free.empty()) {
    const std::size_t node = free.top();
    free.pop();
    order.push_back(node);
    for (const std::size_t dependent : dependents[node]) {
      if (--waiting_for[dependent] == 0) {
        free.push(dependent);
      }
    }
  }
  return order;
}

std::vector<std::size_t> find_cycle(const Graph& graph, const std::vector<std::size_t>& order) {
  std::vector<bool> ordered(graph.size(), false);
  for (const std::size_t node : order) {
    ordered[node] = true;
  }
  // A node without a place in the order waits for another one of its kind: following these must come back.
  const auto first = std::find(ordered.begin(), ordered.end(), false);
  auto node = static_cast<std::size_t>(first - ordered.begin());
  constexpr auto kUnseen = static_cast<std::size_t>(-1);
  std::vector<std::size_t> seen_at(graph.size(), kUnseen);
  std::vector<std::size_t> walk;
  while (seen_at[node] == kUnseen) {
    seen_at[node] = walk.size();
    walk.push_back(node);
    node = *std::find_if(graph[node].begin(), graph[node].end(),
                         [&](std::size_t dependency) { return !ordered[dependency]; });
  }
  std::vector<std::size_t> cycle(walk.begin() + static_cast<std::ptrdiff_t>(seen_at[node]), walk.end());
  std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
  return cycle;
}

Ancestors::Ancestors(const Graph& graph, const std::vector<std::size_t>& order)
    : words_((graph.size() + 63) / 64), bits_(words_ * graph.size()) {
  for (const std::size_t node : order) {
    const auto row = bits_.begin() + static_cast<std::ptrdiff_t>(node * words_);
    for (const std::size_t dependency : graph[node]) {
      const auto inherited = bits_.begin() + static_cast<std::ptrdiff_t>(dependency * words_);
      std::transform(row, row + static_cast<std::ptrdiff_t>(words_), inherited, row, std::bit_or<>());
      *(row + static_cast<std::ptrdiff_t>(dependency / 64)) |= std::uint64_t{1} << (dependency % 64);
    }
  }
}

bool Ancestors::contains(std::size_t node, std::size_t ancestor) const {
  return ((bits_[node * words_ + ancestor / 64] >> (ancestor % 64)) & 1) != 0;
}

}  // namespace convoke::workflow
