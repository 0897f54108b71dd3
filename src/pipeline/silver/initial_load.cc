#include "pipeline/silver/initial_load.h"

#include <arrow/record_batch.h>

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "pipeline/silver/freed_memory.h"
#include "pipeline/silver/merge_writer.h"
#include "pipeline/silver/row_space.h"

namespace millrace::silver {
namespace {

constexpr size_t kSliceRows = 64 << 10;

class SnapshotLoad {
 public:
  SnapshotLoad(const StepContext& context, const iceberg::TableMetadata& base,
               const std::string& write_id, SchemaEvolution& evolution)
      : context_(context), base_(base), write_id_(write_id), evolution_(evolution) {}
  ~SnapshotLoad() {
    for (const iceberg::DataFile& file : done_) {
      const auto path = context_.lake.Relative(file.path);
      if (path.ok()) (void)context_.lake.Delete(*path).ok();
    }
  }

  // False: the part is not what this loader takes.
  Result<bool> Take(const DecodedFile& part) {
    for (const Event& event : part.events) {
      if (!position_) position_ = event.position;
      if (event.op != 'r' || event.position != *position_ || event.missing >= 0) return false;
    }
    for (size_t i = 0; i < part.texts.size(); ++i) {
      if (!part.texts[i] || evolution_.layout().columns[i].text_field_id != 0) continue;
      // From here on files have one column more.
      MR_TRY(FinishWriter());
      MR_TRY(evolution_.AddTextColumn(i));
    }
    MR_TRY(Write(part));
    return true;
  }

  Result<MergeOutcome> Finish() {
    MR_TRY(FinishWriter());
    outcome_.change.added_data = std::move(done_);
    done_.clear();
    outcome_.changed = outcome_.stats.opened > 0;
    if (position_) outcome_.last = *position_;
    return std::move(outcome_);
  }

 private:
  Status Write(const DecodedFile& part) {
    MR_ASSIGN(const auto scd, ScdFieldIds(evolution_.schema()));
    const ColumnFills none;  // no rows are older
    const TableAccess table{context_.lake,
                            context_.manifests,
                            base_,
                            evolution_.layout(),
                            evolution_.schema(),
                            scd,
                            none,
                            context_.options.threads};
    RowSpace::Joiner joiner(part.values.size());
    joiner.Add(part.values, part.texts, part.rows);
    MR_ASSIGN(const auto space, joiner.Join(part.missing_words, {}, context_.options.threads));
    std::vector<OutputRow> rows;
    rows.reserve(part.events.size());
    for (const Event& event : part.events) {
      rows.push_back({.row = event.row,
                      .version = 1,
                      .valid_from = event.time,
                      .valid_to = 0,
                      .from = event.position,
                      .to = {},
                      .op = 'r',
                      .closed = false,
                      .deleted = false});
    }
    if (!writer_) {
      writer_ = table::DataWriter::New(context_.lake, base_.location, evolution_.schema(),
                                       base_.DefaultSpec(), {iceberg::Literal(true)},
                                       write_id_ + "-load" + std::to_string(writers_++),
                                       context_.options.merge.writer);
    }
    for (size_t at = 0; at < rows.size(); at += kSliceRows) {
      const size_t end = std::min(rows.size(), at + kSliceRows);
      MR_ASSIGN(const auto batch, BuildRows(table, *space, rows.data() + at, rows.data() + end));
      MR_TRY(writer_->Write(*batch));
    }
    outcome_.stats.events += static_cast<int64_t>(rows.size());
    outcome_.stats.opened += static_cast<int64_t>(rows.size());
    return {};
  }

  Status FinishWriter() {
    if (!writer_) return {};
    MR_ASSIGN(std::vector<iceberg::DataFile> files, writer_->Finish());
    writer_.reset();
    for (iceberg::DataFile& file : files) done_.push_back(std::move(file));
    return {};
  }

  const StepContext& context_;
  const iceberg::TableMetadata& base_;
  const std::string write_id_;
  SchemaEvolution& evolution_;
  std::unique_ptr<table::DataWriter> writer_;
  int writers_ = 0;
  std::vector<iceberg::DataFile> done_;
  std::optional<EventPosition> position_;
  MergeOutcome outcome_;
};

}  // namespace

Result<std::optional<MergeOutcome>> LoadSnapshot(const StepContext& context,
                                                 const iceberg::TableMetadata& base,
                                                 const std::string& write_id,
                                                 const std::vector<BronzeFile>& files,
                                                 const SchemaVersions& schemas,
                                                 SchemaEvolution& evolution) {
  SnapshotLoad load(context, base, write_id, evolution);
  for (size_t i = 0; i < files.size(); ++i) {
    if (context.stop.stop_requested())
      return Fail(ErrorKind::kCancelled, "silver was asked to stop");
    const Layout layout = evolution.layout();
    MR_ASSIGN(const std::vector<DecodedFile> parts,
              DecodeFiles(context, {files[i]}, layout, ColumnTypes(layout, evolution.schema()),
                          {&schemas.versions[schemas.of_file[i]]}));
    for (const DecodedFile& part : parts) {
      MR_ASSIGN(const bool taken, load.Take(part));
      if (!taken) return std::optional<MergeOutcome>();
    }
    ReturnFreedMemory();
    log::Info("silver", "{}: loaded {} of {} snapshot files", layout.table, i + 1, files.size());
  }
  MR_ASSIGN(MergeOutcome outcome, load.Finish());
  return std::optional<MergeOutcome>(std::move(outcome));
}

}  // namespace millrace::silver
