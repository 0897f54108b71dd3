#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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

// A pinned view of one table for an engine: the name it has in SQL, the schema to present, the files to read by field id.
struct EngineTable {
  std::string space;  // SQL schema: "silver"
  std::string name;
  iceberg::Schema schema;
  std::vector<ScanFile> files;
};

// A SQL engine over pinned tables. Not thread-safe. Errors: kInvalidInput with the engine's own message for bad SQL.
class Engine {
 public:
  virtual ~Engine() = default;
  // Makes the table visible as <space>.<name>, replacing an earlier one of that name. No file is opened yet.
  virtual Status Register(const EngineTable& table) = 0;
  // Runs one SELECT. The stream lives as long as the engine and may be read once; release it before the next query.
  virtual Status Query(const std::string& sql, ArrowArrayStream* out) = 0;
};

}  // namespace millrace
