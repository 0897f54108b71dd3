#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/daily_window.h"
#include "base/options.h"
#include "base/time.h"
#include "codec/compression.h"

namespace millrace::app {

// The configuration as the rest of app sees it: checked, defaults filled in, paths absolute. Sizes
// in bytes, durations in microseconds.
struct Config {
  struct Source {
    std::string host, database, user, sslmode, name, slot, publication;
    int port = 0;
    bool adopt_slot = false;
    std::vector<std::string> include, exclude;
    int snapshot_workers = 0;
    int64_t snapshot_chunk_bytes = 0, snapshot_rows_per_second = 0, snapshot_bytes_per_second = 0;
    DailyWindow snapshot_hours;
    int64_t catch_up_bytes = 0;
    Micros table_check_interval = 0;
    Micros status_interval = 0;
  } source;
  struct Lake {
    std::filesystem::path path;
    std::string catalog_name;
    std::filesystem::path bronze() const { return path / "bronze"; }
    std::filesystem::path warehouse() const { return path / "warehouse"; }
    std::filesystem::path catalog() const { return path / "catalog.db"; }
  } lake;
  struct Bronze {
    Compression compression = Compression::kZstd;
    int compression_level = 0;
    Micros commit_interval = 0;
    int64_t commit_bytes = 0, file_bytes = 0;
  } bronze;
  struct Silver {
    Micros interval = 0;
    int64_t merge_memory = 0, target_file_bytes = 0;
    bool keep_unchanged = false;
    int retention_snapshots = 0, retention_hours = 0;
  } silver;
  struct Gold {
    std::filesystem::path sql;  // empty: no Gold
    Micros interval = 0;
    int64_t memory_limit = 0;
    int threads = 0;
  } gold;
  struct Log {
    std::string level;
    bool json = false;
  } log;

  std::filesystem::path file;  // absolute
  OptionValues values;         // what the above was read from; holds the secrets' placeholders
};

// Reads the file and applies the overrides ("bronze.commit_interval=100ms"). kNotFound when there
// is no file, with the cure; kInvalidInput lists all that is wrong with it.
Result<Config> LoadConfig(const std::filesystem::path& file,
                          const std::vector<std::string>& overrides);

// The effective configuration as YAML that could be loaded again; secrets as placeholders, values
// that are defaults marked as such.
std::string ShowConfig(const Config& config);
// A commented file to start from.
std::string StarterConfig();
// The reference page, docs/guide/configuration.md.
std::string ReferencePage();

}  // namespace millrace::app
