#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "pipeline/silver/file_decoding.h"
#include "pipeline/silver/key_passes.h"
#include "pipeline/silver/schema_evolution.h"
#include "pipeline/silver/spill.h"

namespace millrace::silver {

// The events of one table's step, decoded: at once when they fit into the memory of a merge,
// otherwise through an overflow file, pass by pass.
class BatchSource {
 public:
  // All of them outlive the source; `evolution` gains the text columns that values need.
  BatchSource(const StepContext& context, const std::vector<BronzeFile>& files,
              const SchemaVersions& schemas, SchemaEvolution& evolution);

  // Reads all files. Then the layout is settled, and so are the passes.
  Status Prepare();
  const KeyPasses& keys() const { return keys_; }
  // A pass's part of each file, in stream order. Once for each pass.
  Result<std::vector<DecodedFile>> Take(int pass);

 private:
  Result<std::vector<DecodedFile>> Decode(size_t begin, size_t end) const;
  Status AddTextColumns(const std::vector<DecodedFile>& parts);
  Status Learn();
  Status Divide();

  const StepContext& context_;
  const std::vector<BronzeFile>& files_;
  const SchemaVersions& schemas_;
  SchemaEvolution& evolution_;
  const Layout layout_;  // as decoded: without the text columns to come
  const std::vector<iceberg::TypePtr> types_;
  KeyPasses keys_;
  std::vector<DecodedFile> whole_;  // when there is one pass
  std::unique_ptr<Spill> spill_;    // when there are several
};

}  // namespace millrace::silver
