#include "adapter/object_file/file_error.h"

#include <cerrno>
#include <system_error>

#include "base/format.h"

namespace millrace {
namespace {

struct Reading {
  ErrorKind kind;
  std::string_view cure;  // empty: the reason says it all
};

Reading Read(int code) {
  switch (code) {
    case ENOENT:
      return {ErrorKind::kNotFound, ""};
    case EEXIST:
      return {ErrorKind::kAlreadyExists, ""};
    case ENOSPC:
      return {ErrorKind::kOutOfSpace,
              "free space on that file system or move the lake to a larger one; nothing is lost"};
    case EDQUOT:
      return {ErrorKind::kOutOfSpace,
              "raise the disk quota of the user that runs millrace; nothing is lost"};
    case EACCES:
    case EPERM:
      return {ErrorKind::kPermission,
              "give the user that runs millrace read and write access to the folder"};
    case EROFS:
      return {ErrorKind::kPermission, "mount the file system read-write"};
    case EMFILE:
    case ENFILE:
      return {ErrorKind::kUnavailable, "raise the limit of open files (ulimit -n)"};
    case ENOTDIR:
    case ENAMETOOLONG:
      return {ErrorKind::kInvalidInput, "choose another root folder"};
    case EIO:
      return {ErrorKind::kUnavailable, "the disk reports a fault: see the kernel's log"};
    default:
      return {ErrorKind::kUnavailable, ""};
  }
}

}  // namespace

Error FileError(int code, std::string_view doing, const std::string& path) {
  const Reading reading = Read(-code);
  return Fail(reading.kind, "cannot {} '{}': {}{}{}", doing, path,
              std::generic_category().message(-code), reading.cure.empty() ? "" : "; ",
              reading.cure);
}

}  // namespace millrace
