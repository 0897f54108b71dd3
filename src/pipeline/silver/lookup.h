#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/position.h"
#include "pipeline/silver/fold.h"
#include "pipeline/silver/key_bounds.h"
#include "pipeline/silver/key_index.h"
#include "pipeline/silver/table_access.h"

// Finding rows of the table by the batch's keys.
namespace millrace::silver {

// What of an open version a merge needs besides its source columns.
struct OpenVersion {
  int32_t key = -1;
  int32_t file = -1;     // into the vector of CurrentFiles
  int64_t position = 0;  // in that file
  int32_t version = 0;
  Micros valid_from = 0;
  EventPosition from;
  char op = 0;
};

// Open versions in chunks of columns; `versions` numbers the rows of all chunks in order.
struct OpenRows {
  struct Chunk {
    arrow::ArrayVector values, texts;  // per layout column; texts nullptr where the table has none
    int64_t rows = 0;
  };
  std::vector<Chunk> chunks;
  std::vector<OpenVersion> versions;
  std::vector<std::string> keys;  // canonical, beside `versions`; from ReadOpenRows only
};

// All current files of the base snapshot, none of them a candidate yet.
Result<std::vector<CurrentFile>> PlanCurrentFiles(const TableAccess& table);
// Makes candidates of the files that may hold a key within `bounds` (of all when nullptr) and reads
// their deleted positions.
Status ChooseCandidates(const TableAccess& table, std::vector<CurrentFile>& files,
                        const KeyBounds* bounds);

// Reads a file's deleted positions unless they are known.
Status LoadDead(const TableAccess& table, CurrentFile& file);

// How rows are matched with the index: by the key columns, or where there is no key by these source
// columns, null included, so that one entry may have several rows.
using WholeRow = const std::vector<size_t>*;

// Reads the candidates' live rows whose key is in `index`. The key columns are read first; the
// others only of row groups that have hits. A second open version of one key is kCorrupt.
Result<OpenRows> FindOpenRows(const TableAccess& table, const std::vector<CurrentFile>& files,
                              const KeyIndex& index, WholeRow whole_row);

// Calls `take` with the candidates' live rows in file order, one chunk at a time; keys are looked
// up in `index` (-1: not there).
Status ReadOpenRows(const TableAccess& table, const std::vector<CurrentFile>& files,
                    const KeyIndex& index, WholeRow whole_row,
                    const std::function<Status(OpenRows chunk)>& take);

// For the keys marked in `wanted`, which have no open version: fills version, floor and fence from
// their last closed version, where there is one. Only rows that a delete or truncate closed can be
// the last of such a key, so only files with those are read.
Status FindLastClosed(const TableAccess& table, const KeyIndex& index, const KeyBounds& bounds,
                      const std::vector<bool>& wanted, std::vector<KeyState>& keys);

}  // namespace millrace::silver
