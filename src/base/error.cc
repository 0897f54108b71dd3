#include "base/error.h"

#include "base/format.h"

namespace millrace {

ErrorPolicy PolicyOf(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidInput:
      return {"invalid_input", false, 64};
    case ErrorKind::kNotFound:
      return {"not_found", false, 66};
    case ErrorKind::kAlreadyExists:
      return {"already_exists", false, 73};
    case ErrorKind::kConflict:
      return {"conflict", true, 75};
    case ErrorKind::kUnknownOutcome:
      return {"unknown_outcome", true, 75};
    case ErrorKind::kUnavailable:
      return {"unavailable", true, 69};
    case ErrorKind::kCorrupt:
      return {"corrupt", false, 65};
    case ErrorKind::kUnsupported:
      return {"unsupported", false, 64};
    case ErrorKind::kPermission:
      return {"permission", false, 77};
    case ErrorKind::kFenced:
      return {"fenced", false, 70};
    case ErrorKind::kOutOfSpace:
      return {"out_of_space", true, 74};
    case ErrorKind::kCancelled:
      return {"cancelled", false, 130};
    case ErrorKind::kInternal:
      return {"internal", false, 70};
  }
  return {"internal", false, 70};
}

Error Error::Wrap(std::string_view context) const {
  return Error(kind_, Format("{}: {}", context, message_));
}

std::string Error::ToString() const { return Format("{}: {}", PolicyOf(kind_).name, message_); }

}  // namespace millrace
