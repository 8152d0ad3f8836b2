#include "controller/runtime/work_queue.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "controller/runtime/fair_queue.h"
#include "controller/runtime/object_key_hash.h"
#include "controller/runtime/work_queue_metrics.h"

namespace convoke::runtime {
namespace {

// All that the queue knows of one key. It lives while the key is ready, delayed or with a worker.
struct Item {
  explicit Item(kube::ObjectKey item_key) : key(std::move(item_key)) {}

  const kube::ObjectKey key;
  // Wants to run: it is in the ready set, or will be when the worker that has it is done.
  bool dirty = false;
  bool processing = false;
  bool delayed = false;
  int priority = kPriorityNormal;  // of the next run
  std::uint64_t sequence = 0;      // when it became dirty
  MonotonicTime dirty_since = {};
  MonotonicTime processing_since = {};
  MonotonicTime due = {};  // when delayed
};

struct FirstInFirst {
  bool operator()(const Item* a, const Item* b) const { return a->sequence < b->sequence; }
};

// What is ready, by priority; namespaces take turns within one.
class ReadyItems {
 public:
  void insert(Item* item) {
    levels_[item->priority].insert(item->key.namespace_, item);
    ++size_;
  }
  bool erase(Item* item) {
    const auto level = levels_.find(item->priority);
    if (level == levels_.end() || !level->second.erase(item->key.namespace_, item)) return false;
    removed_from(level);
    return true;
  }
  Item* pop(const std::map<std::string, double>& weights) {
    const auto level = levels_.begin();
    const auto weight = weights.find(level->second.next_flow());
    Item* const item = level->second.pop(weight == weights.end() ? 1 : weight->second);
    removed_from(level);
    return item;
  }
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

 private:
  using Levels = std::map<int, FairQueue<Item, FirstInFirst>, std::greater<>>;

  void removed_from(Levels::iterator level) {
    if (level->second.empty()) levels_.erase(level);
    --size_;
  }

  Levels levels_;
  std::size_t size_ = 0;
};

// What is added while there are no workers.
class NotedKeys {
 public:
  using Exists = std::function<bool(const kube::ObjectKey&)>;

  explicit NotedKeys(Exists exists) : exists_(std::move(exists)) {}

  void add(const kube::ObjectKey& key, int priority) {
    const auto [noted, is_new] = priorities_.try_emplace(key, priority);
    noted->second = std::max(noted->second, priority);
    if (is_new && priorities_.size() > limit_) sweep();
  }
  const std::map<kube::ObjectKey, int>& priorities() const { return priorities_; }

 private:
  // Few enough to look at them all when workers start.
  static constexpr std::size_t kMinLimit = 100;

  void sweep() {
    if (!exists_) return;
    std::erase_if(priorities_, [this](const auto& noted) {
      return !noted.first.namespace_.empty() && !exists_(noted.first);
    });
    limit_ = std::max(kMinLimit, 2 * priorities_.size());
  }

  const Exists exists_;
  std::map<kube::ObjectKey, int> priorities_;
  std::size_t limit_ = kMinLimit;
};

struct DueOrder {
  bool operator()(const Item* a, const Item* b) const {
    return a->due != b->due ? a->due < b->due : a->key < b->key;
  }
};

}  // namespace

struct WorkQueue::Impl {
  Impl(Clock& a_clock, WorkQueueMetrics& a_metrics, BackoffOptions a_backoff)
      : clock(a_clock), metrics(a_metrics), backoff(a_backoff), changed(a_clock.make_condition()) {}

  Item& item_of(const kube::ObjectKey& key) REQUIRES(mutex);
  void add_now(const kube::ObjectKey& key, int priority, MonotonicTime now) REQUIRES(mutex);
  void make_dirty(Item& item, int priority, MonotonicTime now) REQUIRES(mutex);
  void make_ready(Item& item) REQUIRES(mutex);
  void delay(Item& item, MonotonicTime due, int priority) REQUIRES(mutex);
  void cancel_delay(Item& item) REQUIRES(mutex);
  void promote_due(MonotonicTime now) REQUIRES(mutex);
  kube::ObjectKey hand_out(MonotonicTime now) REQUIRES(mutex);
  Duration next_backoff(const kube::ObjectKey& key) REQUIRES(mutex);
  void report(MonotonicTime now) REQUIRES(mutex);

  Clock& clock;
  WorkQueueMetrics& metrics;
  const BackoffOptions backoff;

  mutable Mutex mutex;
  std::unique_ptr<Condition> changed;
  std::optional<NotedKeys> noted GUARDED_BY(mutex);  // while it is held
  std::unordered_map<kube::ObjectKey, std::unique_ptr<Item>, ObjectKeyHash> items GUARDED_BY(mutex);
  ReadyItems ready GUARDED_BY(mutex);
  std::map<std::string, double> weights GUARDED_BY(mutex);
  std::set<Item*, DueOrder> delayed GUARDED_BY(mutex);
  std::unordered_set<Item*> processing GUARDED_BY(mutex);
  std::unordered_map<kube::ObjectKey, int, ObjectKeyHash> failures GUARDED_BY(mutex);
  std::uint64_t next_sequence GUARDED_BY(mutex) = 0;
  bool is_shut_down GUARDED_BY(mutex) = false;
};

// --- One item ---

Item& WorkQueue::Impl::item_of(const kube::ObjectKey& key) {
  std::unique_ptr<Item>& item = items[key];
  if (!item) {
    item = std::make_unique<Item>(key);
  }
  return *item;
}

void WorkQueue::Impl::add_now(const kube::ObjectKey& key, int priority, MonotonicTime now) {
  Item& item = item_of(key);
  cancel_delay(item);
  make_dirty(item, priority, now);
}

void WorkQueue::Impl::make_dirty(Item& item, int priority, MonotonicTime now) {
  if (item.dirty) {
    if (priority > item.priority) {
      const bool was_ready = ready.erase(&item);
      item.priority = priority;
      if (was_ready) {
        ready.insert(&item);
      }
    }
    return;
  }
  metrics.added();
  item.dirty = true;
  item.priority = priority;
  item.sequence = next_sequence++;
  item.dirty_since = now;
  if (!item.processing) {
    make_ready(item);
  }
}

void WorkQueue::Impl::make_ready(Item& item) {
  ready.insert(&item);
  changed->notify_one();
}

void WorkQueue::Impl::delay(Item& item, MonotonicTime due, int priority) {
  if (item.delayed) {
    priority = std::max(priority, item.priority);
    due = std::min(due, item.due);
    cancel_delay(item);
  }
  item.delayed = true;
  item.due = due;
  item.priority = priority;
  delayed.insert(&item);
  if (*delayed.begin() == &item) {
    // All of them, because each waits until the earliest delay that it knows of.
    changed->notify_all();
  }
}

void WorkQueue::Impl::cancel_delay(Item& item) {
  if (item.delayed) {
    delayed.erase(&item);
    item.delayed = false;
  }
}

// --- The queue ---

void WorkQueue::Impl::promote_due(MonotonicTime now) {
  while (!delayed.empty() && (*delayed.begin())->due <= now) {
    Item& item = **delayed.begin();
    cancel_delay(item);
    make_dirty(item, item.priority, item.due);
  }
}

kube::ObjectKey WorkQueue::Impl::hand_out(MonotonicTime now) {
  Item& item = *ready.pop(weights);
  metrics.taken(now - item.dirty_since);
  item.dirty = false;
  item.processing = true;
  item.processing_since = now;
  processing.insert(&item);
  return item.key;
}

Duration WorkQueue::Impl::next_backoff(const kube::ObjectKey& key) {
  const int failed = failures[key]++;
  Duration delay = backoff.base;
  for (int i = 0; i < failed && delay < backoff.max; ++i) {
    delay *= 2;
  }
  return std::min(delay, backoff.max);
}

void WorkQueue::Impl::report(MonotonicTime now) {
  Duration total{};
  Duration longest{};
  for (const Item* item : processing) {
    const Duration worked = now - item->processing_since;
    total += worked;
    longest = std::max(longest, worked);
  }
  metrics.depth(ready.size());
  metrics.unfinished(total, longest);
}

WorkQueue::WorkQueue(Clock& clock, WorkQueueMetrics& metrics, BackoffOptions backoff)
    : impl_(std::make_unique<Impl>(clock, metrics, backoff)) {}

WorkQueue::~WorkQueue() = default;

void WorkQueue::hold(std::function<bool(const kube::ObjectKey&)> exists) {
  MutexLock lock(impl_->mutex);
  impl_->noted.emplace(std::move(exists));
}

void WorkQueue::release() {
  MutexLock lock(impl_->mutex);
  const auto noted = std::exchange(impl_->noted, std::nullopt);
  if (!noted || impl_->is_shut_down) {
    return;
  }
  const MonotonicTime now = impl_->clock.monotonic_now();
  for (const auto& [key, priority] : noted->priorities()) {
    impl_->add_now(key, priority >= kPriorityHigh ? priority : kPriorityLow, now);
  }
  impl_->report(now);
}

bool WorkQueue::is_held() const {
  MutexLock lock(impl_->mutex);
  return impl_->noted.has_value();
}

void WorkQueue::add(const kube::ObjectKey& key, int priority) {
  MutexLock lock(impl_->mutex);
  if (impl_->is_shut_down) {
    return;
  }
  if (impl_->noted) {
    impl_->noted->add(key, priority);
    return;
  }
  const MonotonicTime now = impl_->clock.monotonic_now();
  impl_->add_now(key, priority, now);
  impl_->report(now);
}

void WorkQueue::add_after(const kube::ObjectKey& key, Duration delay, int priority) {
  if (delay <= Duration::zero()) {
    add(key, priority);
    return;
  }
  MutexLock lock(impl_->mutex);
  if (impl_->is_shut_down) {
    return;
  }
  if (impl_->noted) {
    impl_->noted->add(key, priority);  // by the time that there are workers, it is due
    return;
  }
  impl_->metrics.retried();
  Item& item = impl_->item_of(key);
  if (!item.dirty) {
    impl_->delay(item, impl_->clock.monotonic_now() + delay, priority);
  }
}

void WorkQueue::add_rate_limited(const kube::ObjectKey& key, int priority, Duration at_least) {
  Duration delay;
  {
    MutexLock lock(impl_->mutex);
    delay = std::max(impl_->next_backoff(key), at_least);
  }
  add_after(key, delay, priority);
}

void WorkQueue::forget(const kube::ObjectKey& key) {
  MutexLock lock(impl_->mutex);
  impl_->failures.erase(key);
}

int WorkQueue::failures(const kube::ObjectKey& key) const {
  MutexLock lock(impl_->mutex);
  const auto found = impl_->failures.find(key);
  return found == impl_->failures.end() ? 0 : found->second;
}

std::optional<kube::ObjectKey> WorkQueue::get() {
  MutexLock lock(impl_->mutex);
  while (!impl_->is_shut_down) {
    const MonotonicTime now = impl_->clock.monotonic_now();
    impl_->promote_due(now);
    if (!impl_->ready.empty()) {
      kube::ObjectKey key = impl_->hand_out(now);
      impl_->report(now);
      return key;
    }
    if (impl_->delayed.empty()) {
      impl_->changed->wait(impl_->mutex);
    } else {
      impl_->changed->wait_until(impl_->mutex, (*impl_->delayed.begin())->due);
    }
  }
  return std::nullopt;
}

void WorkQueue::done(const kube::ObjectKey& key) {
  MutexLock lock(impl_->mutex);
  const auto found = impl_->items.find(key);
  if (found == impl_->items.end() || !found->second->processing) {
    return;
  }
  const MonotonicTime now = impl_->clock.monotonic_now();
  Item& item = *found->second;
  item.processing = false;
  impl_->processing.erase(&item);
  impl_->metrics.finished(now - item.processing_since);
  if (item.dirty) {
    impl_->make_ready(item);
  } else if (!item.delayed) {
    impl_->items.erase(found);
  }
  impl_->report(now);
}

void WorkQueue::set_weights(std::map<std::string, double> weights) {
  MutexLock lock(impl_->mutex);
  impl_->weights = std::move(weights);
}

void WorkQueue::shut_down() {
  MutexLock lock(impl_->mutex);
  impl_->is_shut_down = true;
  impl_->changed->notify_all();
}

std::size_t WorkQueue::size() const {
  MutexLock lock(impl_->mutex);
  return impl_->noted ? impl_->noted->priorities().size() : impl_->ready.size();
}

}  // namespace convoke::runtime
