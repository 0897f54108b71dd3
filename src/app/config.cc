#include "app/config.h"

#include <fstream>
#include <iterator>

#include "app/option_table.h"
#include "app/yaml_entries.h"
#include "base/format.h"
#include "base/text.h"

namespace millrace::app {
namespace {

// PostgreSQL takes lower-case letters, digits and '_' in slot names (replication slots
// documentation), 63 bytes at most.
std::string SlotName(std::string_view source_name) {
  std::string slot = "millrace_" + ToLower(source_name);
  for (char& c : slot) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) c = '_';
  }
  return slot.substr(0, 63);
}

std::string TopicPrefix(std::string_view database) {
  std::string prefix(database);
  for (char& c : prefix) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-';
    if (!plain) c = '_';
  }
  return prefix;
}

Status CheckName(const OptionValues& values, std::string_view key, const std::string& name,
                 std::string_view allowed, std::string_view described) {
  if (name.find_first_not_of(allowed) == std::string::npos && name.size() <= 63) return {};
  return Fail(ErrorKind::kInvalidInput, "{}: {}: '{}' must be at most 63 of {}", values.Origin(key),
              key, name, described);
}

std::string Or(const std::string& text, std::string fallback) {
  return text.empty() ? std::move(fallback) : text;
}

std::filesystem::path Below(const std::filesystem::path& file, const std::string& path) {
  return (file.parent_path() / path).lexically_normal();
}

Result<std::string> ReadWhole(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    return Fail(ErrorKind::kNotFound,
                "no configuration at {}: `millrace init {}` writes one to start from, or name "
                "another with --config",
                file.string(), file.filename().string());
  }
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in || std::filesystem::is_directory(file, error)) {
    return Fail(ErrorKind::kPermission, "cannot read {}; check its permissions", file.string());
  }
  return text;
}

Result<OptionEntry> ReadOverride(const std::string& text) {
  const size_t equal = text.find('=');
  if (equal == std::string::npos || equal == 0) {
    return Fail(ErrorKind::kInvalidInput,
                "--set {}: write it as key=value, for example --set log.level=debug", text);
  }
  OptionEntry entry{text.substr(0, equal), "--set", {}, false, false};
  const std::string value = text.substr(equal + 1);
  for (const Option& option : AllOptions()) {
    if (option.key != entry.key || option.type != OptionType::kList) continue;
    entry.is_list = true;
    for (std::string_view part : Split(value, ',')) entry.values.emplace_back(Trim(part));
    return entry;
  }
  entry.values.push_back(value);
  return entry;
}

}  // namespace

Result<Config> LoadConfig(const std::filesystem::path& file,
                          const std::vector<std::string>& overrides) {
  Config config;
  config.file = std::filesystem::absolute(file).lexically_normal();
  MR_ASSIGN(const std::string text, ReadWhole(file));
  MR_ASSIGN(std::vector<OptionEntry> entries, ReadYamlEntries(text, file.string()));
  for (const std::string& item : overrides) {
    MR_ASSIGN(OptionEntry entry, ReadOverride(item));
    entries.push_back(std::move(entry));
  }
  MR_ASSIGN(config.values, ResolveOptions(AllOptions(), entries));

  const OptionValues& v = config.values;
  Config::Source& source = config.source;
  source.host = v.Text("source.host");
  source.port = static_cast<int>(v.Number("source.port"));
  source.database = v.Text("source.database");
  source.user = v.Text("source.user");
  source.sslmode = v.Text("source.sslmode");
  source.name = Or(v.Text("source.name"), TopicPrefix(source.database));
  source.slot = Or(v.Text("source.slot"), SlotName(source.name));
  source.publication = Or(v.Text("source.publication"), SlotName(source.name));
  source.adopt_slot = v.Bool("source.adopt_slot");
  source.include = v.List("source.tables.include");
  source.exclude = v.List("source.tables.exclude");
  source.snapshot_workers = static_cast<int>(v.Number("source.snapshot.workers"));
  source.snapshot_chunk_bytes = v.Number("source.snapshot.chunk_bytes");
  source.snapshot_rows_per_second = v.Number("source.snapshot.rows_per_second");
  source.snapshot_bytes_per_second = v.Number("source.snapshot.bytes_per_second");
  const auto hours = ParseDailyWindow(v.Text("source.snapshot.hours"));
  if (!hours.ok()) {
    return hours.error().Wrap(
        Format("{}: source.snapshot.hours", v.Origin("source.snapshot.hours")));
  }
  source.snapshot_hours = *hours;
  source.catch_up_bytes = v.Number("source.catch_up_bytes");
  source.table_check_interval = v.Number("source.tables.check_interval");
  source.status_interval = v.Number("source.status_interval");
  MR_TRY(CheckName(v, "source.name", source.name,
                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-",
                   "letters, digits, '_' and '-'"));
  MR_TRY(CheckName(v, "source.slot", source.slot, "abcdefghijklmnopqrstuvwxyz0123456789_",
                   "lower-case letters, digits and '_'"));

  config.lake.path = Below(config.file, v.Text("lake.path"));
  config.lake.catalog_name = v.Text("lake.catalog_name");

  MR_ASSIGN(config.bronze.compression, ParseCompression(v.Text("bronze.compression")));
  config.bronze.compression_level = static_cast<int>(v.Number("bronze.compression_level"));
  if (config.bronze.compression == Compression::kGzip && config.bronze.compression_level > 9) {
    return Fail(ErrorKind::kInvalidInput,
                "{}: bronze.compression_level: gzip's levels are 1 to 9, not {}",
                v.Origin("bronze.compression_level"), config.bronze.compression_level);
  }
  config.bronze.commit_interval = v.Number("bronze.commit_interval");
  config.bronze.commit_bytes = v.Number("bronze.commit_bytes");
  config.bronze.file_bytes = v.Number("bronze.file_bytes");

  config.silver.interval = v.Number("silver.interval");
  config.silver.merge_memory = v.Number("silver.merge_memory");
  config.silver.target_file_bytes = v.Number("silver.target_file_bytes");
  config.silver.keep_unchanged = v.Bool("silver.keep_unchanged");
  config.silver.retention_snapshots = static_cast<int>(v.Number("silver.retention.snapshots"));
  config.silver.retention_hours = static_cast<int>(v.Number("silver.retention.hours"));

  if (!v.Text("gold.sql").empty()) config.gold.sql = Below(config.file, v.Text("gold.sql"));
  config.gold.interval = v.Number("gold.interval");
  config.gold.memory_limit = v.Number("gold.memory_limit");
  config.gold.threads = static_cast<int>(v.Number("gold.threads"));

  config.log.level = v.Text("log.level");
  config.log.json = v.Bool("log.json");
  return config;
}

}  // namespace millrace::app
