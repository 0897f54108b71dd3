#pragma once

#include <arrow/result.h>
#include <arrow/status.h>

#include <utility>

#include "base/result.h"
#include "table/arrow_schema.h"

namespace millrace::silver {

// Arrow's result as ours; `what` is the start of the message.
template <typename T>
Result<T> FromArrow(arrow::Result<T> result, const char* what) {
  if (!result.ok()) return table::FromArrowStatus(result.status(), what).error();
  return std::move(result).ValueUnsafe();
}
inline Status FromArrow(const arrow::Status& status, const char* what) {
  if (status.ok()) return {};
  return table::FromArrowStatus(status, what);
}

}  // namespace millrace::silver
