#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapter/source_postgres/protocol/pgoutput.h"

// Writes pgoutput messages as the server does. For tests and benchmarks.
namespace millrace::postgres {

class MessageBuilder {
 public:
  explicit MessageBuilder(char type) { bytes_ += type; }

  MessageBuilder& Int16(int64_t v) { return Big(static_cast<uint64_t>(v), 2); }
  MessageBuilder& Int32(int64_t v) { return Big(static_cast<uint64_t>(v), 4); }
  MessageBuilder& Int64(uint64_t v) { return Big(v, 8); }
  MessageBuilder& Char(char c) {
    bytes_ += c;
    return *this;
  }
  MessageBuilder& String(std::string_view text) {
    bytes_ += text;
    bytes_ += '\0';
    return *this;
  }
  // nullopt: NULL; "\1": unchanged TOAST.
  MessageBuilder& TupleData(const std::vector<std::optional<std::string>>& values) {
    Int16(static_cast<int64_t>(values.size()));
    for (const auto& value : values) {
      if (!value) {
        Char('n');
      } else if (*value == "\1") {
        Char('u');
      } else {
        Char('t').Int32(static_cast<int64_t>(value->size()));
        bytes_ += *value;
      }
    }
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  MessageBuilder& Big(uint64_t v, int size) {
    for (int i = size - 1; i >= 0; --i) bytes_ += static_cast<char>(v >> (8 * i) & 0xFF);
    return *this;
  }
  std::string bytes_;
};

inline std::string BeginText(Lsn final_lsn, Micros commit_time, uint32_t xid) {
  return MessageBuilder('B')
      .Int64(final_lsn)
      .Int64(static_cast<uint64_t>(commit_time - kPostgresEpoch))
      .Int32(xid)
      .bytes();
}
inline std::string CommitText(Lsn commit_lsn, Lsn end_lsn, Micros commit_time) {
  return MessageBuilder('C')
      .Char('\0')
      .Int64(commit_lsn)
      .Int64(end_lsn)
      .Int64(static_cast<uint64_t>(commit_time - kPostgresEpoch))
      .bytes();
}
inline std::string RelationText(const RelationMessage& relation) {
  MessageBuilder message('R');
  message.Int32(relation.oid)
      .String(relation.schema)
      .String(relation.table)
      .Char(relation.replica_identity);
  message.Int16(static_cast<int64_t>(relation.columns.size()));
  for (const RelationColumn& column : relation.columns) {
    message.Char(column.identity ? '\1' : '\0')
        .String(column.name)
        .Int32(column.type_oid)
        .Int32(column.typmod);
  }
  return message.bytes();
}

}  // namespace millrace::postgres
