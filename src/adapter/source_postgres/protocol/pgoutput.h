#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/position.h"

// The messages of PostgreSQL's pgoutput plugin, protocol versions 1 and 2 (documentation 55.9
// "Logical Replication Message Formats"). Views point into the message; nothing is read past its
// end, and what does not parse is kCorrupt.
namespace millrace::postgres {

// One column of a tuple as it was sent.
struct TupleValue {
  enum class Kind : uint8_t { kNull, kUnchangedToast, kText };
  Kind kind = Kind::kNull;
  std::string_view text;
};
using Tuple = std::vector<TupleValue>;

struct BeginMessage {
  Lsn final_lsn = 0;  // where the commit record starts
  Micros commit_time = 0;
  uint32_t xid = 0;
};
struct CommitMessage {
  Lsn commit_lsn = 0;
  Lsn end_lsn = 0;
  Micros commit_time = 0;
};
struct OriginMessage {
  Lsn lsn = 0;
  std::string_view name;
};
struct RelationColumn {
  std::string name;
  uint32_t type_oid = 0;
  int32_t typmod = -1;
  bool identity = false;  // part of the replica identity; with FULL every column
  bool operator==(const RelationColumn&) const = default;
};
struct RelationMessage {
  uint32_t oid = 0;
  std::string schema;  // pg_catalog is sent as ""
  std::string table;
  char replica_identity = 'd';  // pg_class.relreplident
  std::vector<RelationColumn> columns;
  bool operator==(const RelationMessage&) const = default;
};
struct TruncateMessage {
  std::vector<uint32_t> relations;
};

// What kind of old tuple an UPDATE or DELETE brought.
enum class OldTuple { kNone, kKey, kFull };

Result<BeginMessage> ParseBegin(std::string_view message);
Result<CommitMessage> ParseCommit(std::string_view message);
Result<OriginMessage> ParseOrigin(std::string_view message);
Result<RelationMessage> ParseRelation(std::string_view message);
Result<TruncateMessage> ParseTruncate(std::string_view message);

// Version 2: a block of a transaction that has not ended. `first`: nothing of it came before.
struct StreamStartMessage {
  uint32_t xid = 0;
  bool first = false;
};
// `xid` was rolled back, or only its subtransaction `subxid` when they differ.
struct StreamAbortMessage {
  uint32_t xid = 0, subxid = 0;
};
struct StreamCommitMessage {
  uint32_t xid = 0;
  std::string begin, commit;  // the same as version 1's BEGIN and COMMIT
};
// Any message of a block but ORIGIN: what comes after its type in version 1, and in which
// subtransaction it was done.
struct StreamedMessage {
  uint32_t xid = 0;
  std::string_view rest;
};
Result<StreamStartMessage> ParseStreamStart(std::string_view message);
Result<StreamAbortMessage> ParseStreamAbort(std::string_view message);
Result<StreamCommitMessage> ParseStreamCommit(std::string_view message);
Result<StreamedMessage> ParseStreamed(std::string_view message);

// INSERT, UPDATE and DELETE: the relation first, so that the caller can find how wide its tuples
// are.
struct RowMessage {
  char type = 0;  // 'I', 'U', 'D'
  uint32_t relation = 0;
  std::string_view rest;
};
Result<RowMessage> ParseRow(std::string_view message);
// Fills `old_row` and `new_row`, both already sized to the relation's columns. An INSERT has no old
// tuple, a DELETE no new one.
Result<OldTuple> ParseTuples(const RowMessage& row, Tuple& old_row, Tuple& new_row);

}  // namespace millrace::postgres
