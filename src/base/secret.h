#pragma once

#include <string>
#include <utility>

namespace millrace {

// A value that must not reach logs, errors or JSON. It has no stream or format operator on purpose;
// Reveal() is easy to grep.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& Reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

 private:
  std::string value_;
};

}  // namespace millrace
