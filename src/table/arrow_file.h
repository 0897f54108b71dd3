#pragma once

#include <arrow/type_fwd.h>

#include <memory>

#include "base/result.h"
#include "port/object_store.h"

namespace arrow::io {
class OutputStream;
class RandomAccessFile;
}  // namespace arrow::io

namespace millrace::table {

// Objects of a store as Arrow's streams. An error of the store travels through Arrow inside the
// status and keeps its kind.

// Writes to `writer`, which must outlive the stream. Closing the stream does not finish the object.
std::shared_ptr<arrow::io::OutputStream> NewArrowOutput(ObjectWriter& writer);
std::shared_ptr<arrow::io::RandomAccessFile> NewArrowInput(std::unique_ptr<ObjectReader> reader);

arrow::Status ToArrowStatus(const Status& status);
// The error of a store inside an Arrow status; nullptr when there is none.
const Error* ErrorIn(const arrow::Status& status);

}  // namespace millrace::table
