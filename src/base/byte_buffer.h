#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace millrace {

// A growable run of bytes that never zero-fills: the target of the hot paths' writers. Movable, not
// copyable. Grows by doubling; Clear keeps the memory.
class ByteBuffer {
 public:
  ByteBuffer() = default;
  explicit ByteBuffer(size_t capacity) { Reserve(capacity); }
  ~ByteBuffer() { std::free(data_); }
  ByteBuffer(ByteBuffer&& other) noexcept { *this = std::move(other); }
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ByteBuffer(const ByteBuffer&) = delete;
  ByteBuffer& operator=(const ByteBuffer&) = delete;

  const char* data() const { return data_; }
  char* data() { return data_; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_, size_}; }
  std::string_view view(size_t offset, size_t length) const { return {data_ + offset, length}; }

  void Clear() { size_ = 0; }
  // REQUIRES: n <= size().
  void Truncate(size_t n) { size_ = n; }

  void Reserve(size_t capacity) {
    if (capacity > capacity_) Grow(capacity);
  }
  // Room for n more bytes; write there, then call Advance(with what was written <= n).
  char* Space(size_t n) {
    if (capacity_ - size_ < n) Grow(size_ + n);
    return data_ + size_;
  }
  void Advance(size_t n) { size_ += n; }
  void Append(const void* bytes, size_t n) {
    char* to = Space(n);
    if (n != 0) std::memcpy(to, bytes, n);
    size_ += n;
  }
  void Append(std::string_view text) { Append(text.data(), text.size()); }
  void Append(char c) {
    *Space(1) = c;
    ++size_;
  }

 private:
  void Grow(size_t needed) {
    size_t next = capacity_ < 4096 ? 4096 : capacity_ * 2;
    if (next < needed) next = needed;
    void* grown = std::realloc(data_, next);
    if (grown == nullptr) throw std::bad_alloc();
    data_ = static_cast<char*>(grown);
    capacity_ = next;
  }

  char* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace millrace
