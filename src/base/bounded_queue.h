#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>

namespace millrace {

// A blocking queue between two threads, bounded by the sum of its items' weights (bytes, usually),
// so that a fast producer waits instead of filling memory. One item heavier than the bound still
// passes when the queue is empty.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t max_weight) : max_weight_(max_weight) {}

  // Blocks while full. False when stop was asked for or the queue was closed: the item was not
  // taken.
  bool Push(T item, size_t weight, std::stop_token stop) {
    std::unique_lock lock(mutex_);
    const bool room = changed_.wait(
        lock, stop, [&] { return closed_ || items_.empty() || weight_ + weight <= max_weight_; });
    if (!room || closed_) return false;
    weight_ += weight;
    items_.push_back({std::move(item), weight});
    changed_.notify_all();
    return true;
  }

  // Blocks until an item is there, `timeout` passed (nullopt), stop was asked for (nullopt), or the
  // queue is closed and empty.
  template <typename Duration>
  std::optional<T> Pop(Duration timeout, std::stop_token stop) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, timeout, [&] { return closed_ || !items_.empty(); });
    if (items_.empty()) return std::nullopt;
    Entry entry = std::move(items_.front());
    items_.pop_front();
    weight_ -= entry.weight;
    changed_.notify_all();
    return std::move(entry.item);
  }

  // No more pushes; what is inside can still be popped.
  void Close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  bool closed_and_empty() const {
    std::lock_guard lock(mutex_);
    return closed_ && items_.empty();
  }
  size_t weight() const {
    std::lock_guard lock(mutex_);
    return weight_;
  }

 private:
  struct Entry {
    T item;
    size_t weight;
  };
  const size_t max_weight_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Entry> items_;
  size_t weight_ = 0;
  bool closed_ = false;
};

}  // namespace millrace
