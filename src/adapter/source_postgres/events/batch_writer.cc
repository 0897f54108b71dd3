#include "adapter/source_postgres/events/batch_writer.h"

#include <atomic>

namespace millrace::postgres {

// Unique over all writers, so that a table shared by two never takes one's batch for the other's.
uint64_t BatchWriter::NextSerial() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

void BatchWriter::AddStream(CapturedTable& table) {
  if (batch_.streams.empty()) {
    batch_.bytes.Reserve(batch_bytes_ + batch_bytes_ / 8 + 4096);
    batch_.records.reserve(usual_records_);
  }
  table.batch_serial = serial_;
  // A table whose entry was replaced mid-batch by an equal version keeps its slot.
  const auto known = std::find(batch_.streams.begin(), batch_.streams.end(), table.stream);
  table.stream_index = static_cast<uint32_t>(known - batch_.streams.begin());
  if (known == batch_.streams.end()) batch_.streams.push_back(table.stream);
}

Status BatchWriter::Flush() {
  if (empty()) return {};
  usual_records_ = std::max(usual_records_, batch_.records.size() + batch_.records.size() / 8);
  RecordBatch full = std::move(batch_);
  batch_ = RecordBatch();
  serial_ = NextSerial();
  return sink_->Write(std::move(full));
}

}  // namespace millrace::postgres
