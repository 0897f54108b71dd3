#include "app/lake_status.h"

#include <arrow/api.h>

#include <algorithm>

#include "app/cell_text.h"
#include "app/lake_lock.h"
#include "app/registry.h"
#include "base/format.h"
#include "base/text.h"
#include "pipeline/gold/engine_rows.h"
#include "pipeline/silver/layout.h"
#include "table/pin.h"

namespace millrace::app {
namespace {

// A value of the first row; nullopt for null and for a result without rows.
std::optional<std::string> FirstValue(const arrow::Table& rows, int column) {
  if (rows.num_rows() == 0) return std::nullopt;
  const arrow::Array& chunk = *rows.column(column)->chunk(0);
  if (chunk.IsNull(0)) return std::nullopt;
  return CellText(chunk, 0);
}

// Silver's mark and the newest cut's row, where there are any.
Status ReadCut(Lake& lake, Engine& engine, LakeStatus& status) {
  const auto cuts = lake.catalog->LoadTable(MakeIdent("_millrace", "cuts"));
  if (!cuts.ok()) return cuts.error().kind() == ErrorKind::kNotFound ? Status() : cuts.error();
  MR_ASSIGN(status.mark, silver::MarkOf(cuts->metadata));
  MR_ASSIGN(const EngineTable pinned, table::Pin(*lake.cache, *cuts));
  MR_TRY(engine.Register(pinned));
  MR_ASSIGN(const auto row,
            gold::ReadRows(engine,
                           "SELECT commit_lsn, epoch_us(commit_time), epoch_us(published_at) "
                           "FROM \"_millrace\".cuts ORDER BY cut DESC LIMIT 1",
                           {}));
  if (row->num_rows() == 0) return {};
  const auto number = [&](int column) -> std::optional<int64_t> {
    const auto text = FirstValue(*row, column);
    return text ? ParseInt<int64_t>(*text) : std::nullopt;
  };
  status.cut.emplace();
  status.cut->commit_lsn = static_cast<Lsn>(number(0).value_or(0));
  status.cut->commit_time = number(1);
  status.cut->published_at = number(2);
  return {};
}

Status CountPending(ObjectStore& bronze, LakeStatus& status) {
  constexpr size_t kAtOnce = 1000;
  for (int64_t number = status.mark.bronze_commit;;) {
    MR_ASSIGN(const std::vector<BronzeCommit> commits,
              commitlog::ReadAfter(bronze, number, kAtOnce));
    if (commits.empty()) return {};
    number = commits.back().number;
    for (const BronzeCommit& commit : commits) {
      ++status.pending_commits;
      for (const BronzeFile& file : commit.files) status.pending_records += file.records;
    }
  }
}

std::string TopicOf(const LoadedTable& table) {
  const auto property = table.metadata.properties.find(std::string(silver::kTopicProperty));
  return property == table.metadata.properties.end() ? std::string() : property->second;
}

}  // namespace

std::optional<int64_t> LakeStatus::SourceLag() const {
  if (!source_lsn || !bronze.position) return std::nullopt;
  return std::max<int64_t>(0, static_cast<int64_t>(*source_lsn - bronze.position->resume_lsn));
}

Result<LakeStatus> ReadLakeStatus(const Config& config) {
  MR_ASSIGN(const std::unique_ptr<Lake> lake, OpenExistingLake(config));
  LakeStatus status;
  status.now = lake->clock.Now();
  MR_ASSIGN(status.bronze, commitlog::Recover(*lake->bronze));
  if (status.bronze.number > 0) {
    MR_ASSIGN(const auto last, commitlog::ReadAfter(*lake->bronze, status.bronze.number - 1, 1));
    if (!last.empty()) status.last_commit_at = last.front().created_at;
  }
  MR_ASSIGN(const std::unique_ptr<Engine> engine, OpenEngine(config));
  MR_ASSIGN(const std::vector<PinnedTable> tables, PinNewest(*lake, *engine));
  for (const PinnedTable& pinned : tables) {
    MR_ASSIGN(TableFacts facts, ReadTableFacts(*lake->cache, pinned));
    auto& list = pinned.table.ident.levels.front() == "silver" ? status.silver : status.gold;
    list.push_back({pinned.table.ident.ToString(), TopicOf(pinned.table), facts});
  }
  MR_TRY(ReadCut(*lake, *engine, status));
  MR_TRY(CountPending(*lake->bronze, status));
  status.bronze_writer = LakeLock::Holder(config.lake.path, "bronze");
  status.silver_writer = LakeLock::Holder(config.lake.path, "silver");
  status.gold_writer = LakeLock::Holder(config.lake.path, "gold");
  const auto source = OpenSource(config, {});
  const Result<Lsn> lsn = source.ok() ? (*source)->CurrentLsn() : Result<Lsn>(source.error());
  if (lsn.ok()) {
    status.source_lsn = *lsn;
  } else {
    status.source_error = lsn.error().message();
  }
  return status;
}

}  // namespace millrace::app
