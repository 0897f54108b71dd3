#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "codec/json.h"

namespace millrace {

// A PostgreSQL log sequence number; text form "16/B374D848".
using Lsn = uint64_t;
std::string FormatLsn(Lsn lsn);
Result<Lsn> ParseLsn(std::string_view text);

// The order of the stream: transactions by the LSN of their commit record, events by their count
// within the transaction. Never a bare LSN: the LSN of a change is neither unique nor monotone.
struct EventPosition {
  Lsn commit_lsn = 0;   // BEGIN's final LSN, where the commit record starts
  int64_t ordinal = 0;  // 0, 1, 2, ... within the transaction, over all captured tables
  auto operator<=>(const EventPosition&) const = default;
};

// How far a copy of a source reaches, and from where to go on. Covers whole transactions only.
struct SourcePosition {
  uint64_t system_id = 0;  // IDENTIFY_SYSTEM's systemid: which database cluster
  uint32_t timeline = 0;
  EventPosition last;  // of the last event covered; all that is <= last is in
  Lsn resume_lsn = 0;  // streaming resumes here: COMMIT's end LSN, or a keepalive's when idle; >=
                       // last.commit_lsn
  Micros commit_time = 0;  // of the last transaction covered; 0 when none
};

// {"kind":"pg","system_id":"7...","timeline":1,"commit_lsn":"0/16B3748","ordinal":3,"resume_lsn":"0/16B3780","commit_time":...}
json::Value ToJson(const SourcePosition& position);
Result<SourcePosition> SourcePositionFromJson(const json::Value& value);

}  // namespace millrace
