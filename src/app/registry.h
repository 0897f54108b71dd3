#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "base/result.h"
#include "model/table_schema.h"
#include "port/catalog.h"
#include "port/clock.h"
#include "port/engine.h"
#include "port/object_store.h"
#include "port/source.h"

// The only list of adapters: which implementation stands behind each port.
namespace millrace::app {

Result<std::unique_ptr<ObjectStore>> OpenObjectStore(const std::filesystem::path& directory);
// `warehouse` and `clock` must outlive it.
Result<std::unique_ptr<Catalog>> OpenCatalog(const Config& config, ObjectStore& warehouse,
                                             Clock& clock);
Result<std::unique_ptr<Engine>> OpenEngine(const Config& config);
// Connects. `known` are the newest table versions that Bronze holds.
Result<std::unique_ptr<Source>> OpenSource(const Config& config, std::vector<TableSchema> known);

// One thing that was looked at in the source.
struct SourceFinding {
  std::string level;  // ok, warn, error
  std::string topic, message;
  std::string cure;  // SQL; empty: none
  bool fixable = false;
};
// Asks whoever captures to read tables ("schema.table") again; durable on return.
Status AskForReread(const Config& config, const std::vector<std::string>& tables);
// What of the source is ready to be captured; with `fix`, what could be put right first, told in
// `done`.
Result<std::vector<SourceFinding>> CheckSource(const Config& config, bool fix,
                                               std::vector<std::string>& done);

}  // namespace millrace::app
