#include "pipeline/bronze/record_line.h"

#include <charconv>
#include <cstring>
#include <string_view>

namespace millrace::bronze {
namespace {

constexpr std::string_view kOffset = R"({"offset":)";
constexpr std::string_view kTimestamp = R"(,"timestamp":)";
constexpr std::string_view kKey = R"(,"key":)";
constexpr std::string_view kValue = R"(,"value":)";
constexpr std::string_view kHeaders = R"(,"headers":)";
constexpr std::string_view kEnd = "}\n";
constexpr std::string_view kNull = "null";
// All that a line holds beside its slices: the texts above, three nulls, two integers of at most 20
// characters.
constexpr size_t kFrame = 10 + 13 + 7 + 9 + 11 + 2 + 12 + 40;

char* Put(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

char* Put(char* to, int64_t value) { return std::to_chars(to, to + 20, value).ptr; }

char* PutSlice(char* to, const char* from, size_t size) {
  if (size == 0) return Put(to, kNull);
  std::memcpy(to, from, size);
  return to + size;
}

}  // namespace

void AppendLine(const RecordBatch& batch, const Record& record, int64_t offset, ByteBuffer& out) {
  const char* from = batch.bytes.data() + record.offset;
  char* const begin = out.Space(kFrame + size_t{record.key_size} + size_t{record.value_size} +
                                size_t{record.headers_size});
  char* to = Put(Put(begin, kOffset), offset);
  to = Put(Put(to, kTimestamp), record.timestamp_ms);
  to = PutSlice(Put(to, kKey), from, record.key_size);
  from += record.key_size;
  to = PutSlice(Put(to, kValue), from, record.value_size);
  from += record.value_size;
  to = PutSlice(Put(to, kHeaders), from, record.headers_size);
  to = Put(to, kEnd);
  out.Advance(static_cast<size_t>(to - begin));
}

bool WithinBatch(const RecordBatch& batch, const Record& record) {
  const uint64_t size = uint64_t{record.key_size} + record.value_size + record.headers_size;
  return record.stream < batch.streams.size() && record.offset <= batch.bytes.size() &&
         size <= batch.bytes.size() - record.offset;
}

}  // namespace millrace::bronze
