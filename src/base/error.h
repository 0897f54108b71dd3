#pragma once

#include <string>
#include <string_view>

namespace millrace {

// A kind exists only where some caller acts differently on it; `PolicyOf` is the one table that
// says how.
enum class ErrorKind {
  kInvalidInput,    // configuration, SQL or a file that the user must change
  kNotFound,        // the named thing does not exist
  kAlreadyExists,   // put-if-absent or create found it there
  kConflict,        // a compare-and-swap lost; refresh and try again
  kUnknownOutcome,  // a commit may or may not have happened: read back, never retry blindly
  kUnavailable,     // a peer is down or slow; retrying later may help
  kCorrupt,         // stored data fails its own checks
  kUnsupported,     // understood, and cannot be carried faithfully
  kPermission,      // the peer refused our credentials or privileges
  kFenced,          // another writer took over, or the source no longer holds what we need
  kOutOfSpace,      // disk, quota or memory limit
  kCancelled,       // asked to stop; never folded into another kind
  kInternal,        // a bug of ours
};

// What a supervisor does with an error.
struct ErrorPolicy {
  std::string_view name;  // stable, for logs and JSON: "conflict", "unknown_outcome", ...
  bool retry;             // the same operation may succeed later, unchanged
  int exit_code;          // of the command line (sysexits where one fits)
};

ErrorPolicy PolicyOf(ErrorKind kind);

// An error is a kind and a sentence that names the thing and, where there is one, the cure.
// Messages never hold row values or secrets.
class [[nodiscard]] Error {
 public:
  Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}

  ErrorKind kind() const { return kind_; }
  const std::string& message() const { return message_; }

  // The same error, told from further up: "context: message".
  Error Wrap(std::string_view context) const;
  // "conflict: message"
  std::string ToString() const;

 private:
  ErrorKind kind_;
  std::string message_;
};

}  // namespace millrace
