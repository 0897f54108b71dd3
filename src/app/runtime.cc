#include "app/runtime.h"

#include <chrono>
#include <utility>

#include "app/newest_schemas.h"
#include "app/registry.h"
#include "pipeline/bronze/bronze_writer.h"
#include "pipeline/gold/gold_stage.h"

namespace millrace::app {
namespace {

bronze::Options BronzeOptions(const Config& config) {
  bronze::Options options;
  options.source = config.source.name;
  options.slot = config.source.slot;
  options.compression = config.bronze.compression;
  options.level = config.bronze.compression_level;
  options.commit_interval = std::chrono::milliseconds(config.bronze.commit_interval / 1000);
  options.commit_bytes = config.bronze.commit_bytes;
  options.file_bytes = config.bronze.file_bytes;
  return options;
}

table::Retention RetentionOf(const Config& config) {
  return {config.silver.retention_snapshots, config.silver.retention_hours};
}

std::unique_ptr<capture::CaptureStage> MakeCapture(const Config& config, Lake& lake) {
  auto open_sink = [&lake, options = BronzeOptions(config)](
                       SinkEvents events) -> Result<std::unique_ptr<DurableSink>> {
    MR_ASSIGN(auto writer,
              bronze::BronzeWriter::Open(*lake.bronze, lake.clock, options, std::move(events)));
    return std::unique_ptr<DurableSink>(std::move(writer));
  };
  auto make_source = [&config, &lake](const ResumePoint&) -> Result<std::unique_ptr<Source>> {
    MR_ASSIGN(std::vector<TableSchema> known, ReadNewestSchemas(*lake.bronze));
    return OpenSource(config, std::move(known));
  };
  return std::make_unique<capture::CaptureStage>(std::move(open_sink), std::move(make_source));
}

// Events take about twenty times their stored size while they are merged (silver_options.h).
constexpr int64_t kMemoryPerStoredByte = 20;

silver::SilverOptions SilverOptionsOf(const Config& config) {
  silver::SilverOptions options;
  options.max_cut_bytes = config.silver.merge_memory / kMemoryPerStoredByte;
  options.spill_directory = (config.lake.path / "tmp").string();
  options.merge.fold.keep_unchanged = config.silver.keep_unchanged;
  options.merge.writer.target_file_bytes = config.silver.target_file_bytes;
  options.retention = RetentionOf(config);
  return options;
}

}  // namespace

Result<std::unique_ptr<Runtime>> MakeRuntime(Config config) {
  auto runtime = std::make_unique<Runtime>();
  runtime->config = std::move(config);
  const Config& settings = runtime->config;
  MR_ASSIGN(runtime->lake, OpenLake(settings));
  Lake& lake = *runtime->lake;
  runtime->capture = MakeCapture(settings, lake);
  runtime->silver = std::make_unique<SilverStage>(*lake.bronze, *lake.warehouse, *lake.catalog,
                                                  lake.clock, SilverOptionsOf(settings));
  if (!settings.gold.sql.empty()) {
    GoldOptions options{.sql_directory = settings.gold.sql.string(),
                        .retention = RetentionOf(settings)};
    runtime->gold = std::make_unique<GoldStage>(
        std::move(options), *lake.catalog, *lake.warehouse, *lake.cache,
        [&settings] { return OpenEngine(settings); }, lake.clock);
  }
  return runtime;
}

}  // namespace millrace::app
