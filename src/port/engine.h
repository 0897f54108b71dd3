#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "iceberg/schema.h"

struct ArrowArrayStream;  // the Arrow C stream interface

namespace millrace {

// One Iceberg data file to read, with the position delete files that apply to it.
struct ScanFile {
  std::string path;  // as in the manifest (a URI)
  int64_t size = 0;
  int64_t records = 0;
  std::vector<std::string> delete_files;
};

// A pinned view of one table for an engine: the name it has in SQL, the schema to present, the
// files to read by field id.
struct EngineTable {
  std::string space;  // SQL schema: "silver"
  std::string name;
  iceberg::Schema schema;
  std::vector<ScanFile> files;
};

// A SQL engine over pinned tables. Not thread-safe. Errors: kInvalidInput with the engine's own
// message for bad SQL, kOutOfSpace when the memory limit and the temporary directory do not
// suffice, kCancelled when `stop` was asked for.
class Engine {
 public:
  virtual ~Engine() = default;
  // Makes the table visible as <space>.<name>, replacing an earlier one of that name. Files are
  // read by field id: a column that a file lacks is null, a promoted one is cast, deleted positions
  // are left out.
  virtual Status Register(const EngineTable& table) = 0;
  // Runs one SELECT. The stream lives as long as the engine and may be read once; release it before
  // the next query.
  virtual Status Query(const std::string& sql, ArrowArrayStream* out,
                       std::stop_token stop = {}) = 0;
  // Runs one SELECT and keeps its rows as the table <name> until the next one of that name or the
  // engine's end.
  virtual Status Materialize(const std::string& name, const std::string& sql,
                             std::stop_token stop = {}) = 0;
};

}  // namespace millrace
