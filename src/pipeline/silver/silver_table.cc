#include "pipeline/silver/silver_table.h"

#include <arrow/array.h>

#include <algorithm>

#include "base/failpoint.h"
#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "base/uuid.h"
#include "pipeline/silver/batch_source.h"
#include "pipeline/silver/initial_load.h"
#include "pipeline/silver/schema_evolution.h"
#include "pipeline/silver/table_merge.h"

namespace millrace::silver {
namespace {

constexpr std::string_view kPositionProperty =
    "millrace.position";  // "<commit lsn>,<ordinal>" of the newest event

std::string FormatPosition(EventPosition position) {
  return Format("{},{}", FormatLsn(position.commit_lsn), position.ordinal);
}

Result<EventPosition> ParsePosition(std::string_view text) {
  const size_t comma = text.find(',');
  if (comma != std::string_view::npos) {
    const auto lsn = ParseLsn(text.substr(0, comma));
    const auto ordinal = ParseInt<int64_t>(text.substr(comma + 1));
    if (lsn.ok() && ordinal) return EventPosition{*lsn, *ordinal};
  }
  return Fail(ErrorKind::kCorrupt, "property {} is no position", kPositionProperty);
}

iceberg::Properties Marks(const TableInput& input, int64_t mark, const Layout& layout,
                          EventPosition last) {
  return {{std::string(kColumnsProperty), json::Write(ToJson(layout))},
          {std::string(kBronzeCommitProperty), std::to_string(mark)},
          {std::string(kSourceProperty), input.source},
          {std::string(kTopicProperty), input.topic},
          {std::string(kPositionProperty), FormatPosition(last)}};
}

// The defaults of new columns, with a text column where one needs it.
Result<std::vector<DefaultValue>> DecodeDefaults(SchemaEvolution& evolution) {
  std::vector<DefaultValue> values;
  for (const AddedDefault& added : evolution.defaults()) {
    MR_ASSIGN(DefaultValue value, DecodeDefault(added, evolution.layout(), evolution.schema()));
    if (value.text) MR_TRY(evolution.AddTextColumn(value.column));
    values.push_back(std::move(value));
  }
  return values;
}

Result<MergeOutcome> Merge(const StepContext& context, const TableBase& base,
                           const std::string& write_id, const std::vector<BronzeFile>& files,
                           const SchemaVersions& schemas, EventPosition covered,
                           SchemaEvolution& evolution) {
  const iceberg::TableMetadata& metadata = base.loaded.metadata;
  if (!metadata.current_snapshot_id &&
      std::all_of(files.begin(), files.end(), [](const BronzeFile& f) { return f.snapshot; })) {
    MR_ASSIGN(std::optional<MergeOutcome> loaded,
              LoadSnapshot(context, metadata, write_id, files, schemas, evolution));
    if (loaded) return std::move(*loaded);
  }
  MR_ASSIGN(std::vector<DefaultValue> defaults, DecodeDefaults(evolution));
  BatchSource source(context, files, schemas, evolution);
  MR_TRY(source.Prepare());
  const MergePasses passes{source.keys(), [&](int pass) { return source.Take(pass); }};
  const ColumnFills fills(std::move(defaults), evolution.layout());
  MR_ASSIGN(const auto scd, ScdFieldIds(evolution.schema()));
  const TableAccess table{
      context.lake, context.manifests,      metadata, evolution.layout(), evolution.schema(), scd,
      fills,        context.options.threads};
  return MergeTable(table, write_id, passes, covered, context.options.merge);
}

// The files of one input, taken into the table in one catalog commit, as one snapshot or several.
class Steps {
 public:
  Steps(const StepContext& context, const std::optional<SilverTable>& existing,
        const TableInput& input, TableStep& step)
      : context_(context), existing_(existing), input_(input), step_(step) {}

  Status Run() {
    MR_ASSIGN(const SchemaVersions schemas, ReadSchemas(context_.bronze, input_.files));
    NewSilverTable made;
    if (existing_) {
      made.layout = existing_->layout;
      covered_ = existing_->last;
    } else {
      MR_ASSIGN(made, LayOut(input_.schema ? *input_.schema : schemas.versions.front()));
    }
    layout_ = std::move(made.layout);
    MR_ASSIGN(base_, BaseOf(context_.lake, step_.ident,
                            existing_ ? std::optional(existing_->loaded) : std::nullopt, [&] {
                              return table::NewTable{.ident = {},
                                                     .location = "",
                                                     .schema = std::move(made.schema),
                                                     .spec = std::move(made.spec),
                                                     .properties = {}};
                            }));
    size_t begin = 0;
    for (const size_t end : SplitAtDefaults(schemas, layout_)) {
      MR_TRY(Take(begin, end, schemas));
      begin = end;
    }
    return {};
  }

 private:
  // Files [begin, end), which is to the end of the input for the last call.
  Status Take(size_t begin, size_t end, const SchemaVersions& all) {
    const auto at = input_.files.begin() + static_cast<std::ptrdiff_t>(begin);
    const std::vector<BronzeFile> files(at, at + static_cast<std::ptrdiff_t>(end - begin));
    const bool last = end == input_.files.size();
    const SchemaVersions schemas = Slice(all, begin, end);
    SchemaEvolution evolution(layout_, base_.loaded.metadata);
    MR_TRY(ApplyVersions(schemas.versions, input_.settled ? &*input_.settled : nullptr, evolution));
    MR_FAILPOINT("silver.before_data");
    MR_ASSIGN(MergeOutcome outcome,
              Merge(context_, base_, NewUuid(), files, schemas, covered_, evolution));
    MR_FAILPOINT("silver.after_data");
    step_.stats += outcome.stats;
    for (const auto* written : {&outcome.change.added_data, &outcome.change.added_deletes}) {
      for (const iceberg::DataFile& file : *written) {
        if (auto path = context_.lake.Relative(file.path); path.ok())
          step_.written.push_back(std::move(*path));
      }
    }
    layout_ = evolution.layout();
    covered_ = std::max(covered_, outcome.last);
    const bool nothing = !outcome.changed && !evolution.schema_changed();
    if (nothing && (!last || (existing_ && !step_.staged))) return {};
    return Stage(std::move(outcome.change), evolution, last);
  }

  Status Stage(table::SnapshotChange change, const SchemaEvolution& evolution, bool last) {
    // The mark is true of the whole input only.
    const int64_t mark = last ? input_.mark : existing_ ? existing_->mark : 0;
    const iceberg::Properties marks = Marks(input_, mark, layout_, covered_);
    change.properties = marks;
    change.summary = marks;
    change.summary.erase(std::string(kColumnsProperty));
    if (evolution.schema_changed()) {
      change.schema = evolution.schema();
      change.last_column_id = evolution.last_column_id();
    }
    const Micros now = context_.clock.Now();
    MR_ASSIGN(StagedTable staged, StageOn(context_.lake, context_.manifests, base_, change,
                                          context_.options.retention, now));
    step_.written.insert(step_.written.end(), staged.new_files.begin(), staged.new_files.end());
    if (!last) {
      MR_ASSIGN(base_, BaseAfter(base_, staged, now));
    }
    step_.staged =
        step_.staged ? InOneCommit(std::move(*step_.staged), std::move(staged)) : std::move(staged);
    return {};
  }

  const StepContext& context_;
  const std::optional<SilverTable>& existing_;
  const TableInput& input_;
  TableStep& step_;
  TableBase base_;
  Layout layout_;
  EventPosition covered_{0, -2};  // of the newest event that is in
};

}  // namespace

Result<SilverTable> OpenSilverTable(LoadedTable loaded) {
  SilverTable table;
  const iceberg::Properties& properties = loaded.metadata.properties;
  const auto text = [&](std::string_view name) -> Result<std::string> {
    const auto found = properties.find(std::string(name));
    if (found != properties.end()) return found->second;
    return Fail(ErrorKind::kInvalidInput,
                "table {} exists and is not Millrace's (it has no property {}): rename it",
                loaded.ident.ToString(), name);
  };
  MR_ASSIGN(const std::string columns, text(kColumnsProperty));
  MR_ASSIGN(const json::Value parsed,
            json::Parse(columns, "columns of " + loaded.ident.ToString()));
  auto layout = LayoutFromJson(parsed);
  if (!layout.ok()) return layout.error().Wrap("columns of " + loaded.ident.ToString());
  table.layout = std::move(*layout);
  MR_ASSIGN(table.topic, text(kTopicProperty));
  MR_ASSIGN(table.source, text(kSourceProperty));
  MR_ASSIGN(const std::string mark, text(kBronzeCommitProperty));
  const auto number = ParseInt<int64_t>(mark);
  if (!number)
    return Fail(ErrorKind::kCorrupt, "table {}: property {} is no number", loaded.ident.ToString(),
                kBronzeCommitProperty);
  table.mark = *number;
  MR_ASSIGN(const std::string position, text(kPositionProperty));
  MR_ASSIGN(table.last, ParsePosition(position));
  table.loaded = std::move(loaded);
  return table;
}

Result<TableStep> StepTable(const StepContext& context, const TableIdent& ident,
                            const std::optional<SilverTable>& existing, const TableInput& input) {
  if (existing && existing->topic != input.topic) {
    return Fail(ErrorKind::kInvalidInput,
                "topics '{}' and '{}' would share the table {}: leave one of their tables out",
                existing->topic, input.topic, ident.ToString());
  }
  if (existing && existing->source != input.source) {
    return Fail(ErrorKind::kInvalidInput, "table {} belongs to source {}, not to {}: rename it",
                ident.ToString(), existing->source, input.source);
  }
  TableStep step;
  step.ident = ident;
  if (existing) step.before = existing->loaded;
  const Status taken = Steps(context, existing, input, step).Run();
  if (taken.ok()) return step;
  for (const std::string& path : step.written) (void)context.lake.Delete(path).ok();
  return taken.error();
}

}  // namespace millrace::silver
