#pragma once

#include <cstdint>

#include "base/byte_buffer.h"
#include "model/record_batch.h"

namespace millrace::bronze {

// Appends {"offset":N,"timestamp":ms,"key":...,"value":...,"headers":...} and a line feed; what is
// empty is written as null. REQUIRES: the record's slices lie within the batch's bytes and hold
// JSON without line feeds.
void AppendLine(const RecordBatch& batch, const Record& record, int64_t offset, ByteBuffer& out);

// Whether the record's slices and stream lie within the batch.
bool WithinBatch(const RecordBatch& batch, const Record& record);

}  // namespace millrace::bronze
