#include "pipeline/silver/silver_table.h"

#include <arrow/array.h>

#include <algorithm>

#include "base/failpoint.h"
#include "base/format.h"
#include "base/log.h"
#include "base/text.h"
#include "base/uuid.h"
#include "pipeline/silver/file_decoding.h"
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

iceberg::Properties Marks(const TableInput& input, const Layout& layout, EventPosition last) {
  return {{std::string(kColumnsProperty), json::Write(ToJson(layout))},
          {std::string(kBronzeCommitProperty), std::to_string(input.mark)},
          {std::string(kSourceProperty), input.source},
          {std::string(kTopicProperty), input.topic},
          {std::string(kPositionProperty), FormatPosition(last)}};
}

// A text column for each column where some value needed one.
Status AddTextColumns(const std::vector<DecodedFile>& files, SchemaEvolution& evolution) {
  for (const DecodedFile& file : files) {
    for (size_t i = 0; i < file.texts.size(); ++i) {
      if (file.texts[i]) MR_TRY(evolution.AddTextColumn(i));
    }
  }
  return {};
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
  const Layout layout = evolution.layout();
  const std::vector<iceberg::TypePtr> types = ColumnTypes(layout, evolution.schema());
  const auto decode = [&](size_t begin, size_t end) {
    std::vector<const TableSchema*> versions;
    for (size_t i = begin; i < end; ++i) versions.push_back(&schemas.versions[schemas.of_file[i]]);
    const auto at = files.begin() + static_cast<std::ptrdiff_t>(begin);
    return DecodeFiles(context, {at, at + static_cast<std::ptrdiff_t>(end - begin)}, layout, types,
                       versions);
  };
  int64_t bytes = 0;
  for (const BronzeFile& file : files) bytes += file.bytes;
  const int64_t room = std::max<int64_t>(context.options.max_cut_bytes, 1);
  PassFilter filter(layout.keyed() ? static_cast<int>((bytes + room - 1) / room) : 1);
  std::vector<DecodedFile> whole;
  if (filter.passes() == 1) {
    MR_ASSIGN(whole, decode(0, files.size()));
    MR_TRY(AddTextColumns(whole, evolution));
  } else {
    log::Info("silver", "{}: {} stored bytes are merged in {} passes", layout.table, bytes,
              filter.passes());
    for (size_t i = 0; i < files.size(); ++i) {
      MR_ASSIGN(const std::vector<DecodedFile> parts, decode(i, i + 1));
      MR_TRY(AddTextColumns(parts, evolution));
      for (const DecodedFile& part : parts) MR_TRY(filter.Learn(part, layout));
    }
  }
  const MergePasses passes{filter, [&](int pass) -> Result<std::vector<DecodedFile>> {
                             if (filter.passes() == 1) return std::move(whole);
                             std::vector<DecodedFile> reduced;
                             for (size_t i = 0; i < files.size(); ++i) {
                               MR_ASSIGN(std::vector<DecodedFile> parts, decode(i, i + 1));
                               for (DecodedFile& part : parts) {
                                 MR_TRY(filter.Reduce(part, layout, pass));
                                 reduced.push_back(std::move(part));
                               }
                             }
                             return reduced;
                           }};
  MR_ASSIGN(const auto scd, ScdFieldIds(evolution.schema()));
  const TableAccess table{context.lake,           context.manifests,  metadata,
                          evolution.layout(),     evolution.schema(), scd,
                          context.options.threads};
  return MergeTable(table, write_id, passes, covered, context.options.merge);
}

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
  TableStep step;
  step.ident = ident;
  if (existing) {
    step.before = existing->loaded;
    if (existing->topic != input.topic) {
      return Fail(ErrorKind::kInvalidInput,
                  "topics '{}' and '{}' would share the table {}: leave one of their tables out",
                  existing->topic, input.topic, ident.ToString());
    }
    if (existing->source != input.source) {
      return Fail(ErrorKind::kInvalidInput, "table {} belongs to source {}, not to {}: rename it",
                  ident.ToString(), existing->source, input.source);
    }
  }
  MR_ASSIGN(const SchemaVersions schemas, ReadSchemas(context.bronze, input.files));
  NewSilverTable made;
  if (existing) {
    made.layout = existing->layout;
  } else {
    MR_ASSIGN(made, LayOut(input.schema ? *input.schema : schemas.versions.front()));
  }
  MR_ASSIGN(TableBase base, BaseOf(context.lake, ident,
                                   existing ? std::optional(existing->loaded) : std::nullopt, [&] {
                                     return table::NewTable{.ident = {},
                                                            .location = "",
                                                            .schema = std::move(made.schema),
                                                            .spec = std::move(made.spec),
                                                            .properties = {}};
                                   }));
  SchemaEvolution evolution(made.layout, base.loaded.metadata);
  MR_TRY(ApplyVersions(schemas.versions, input.settled ? &*input.settled : nullptr, evolution));
  const EventPosition covered = existing ? existing->last : EventPosition{0, -2};
  MR_FAILPOINT("silver.before_data");
  MR_ASSIGN(MergeOutcome outcome,
            Merge(context, base, NewUuid(), input.files, schemas, covered, evolution));
  MR_FAILPOINT("silver.after_data");
  step.stats = outcome.stats;
  if (existing && !outcome.changed && !evolution.schema_changed()) return step;
  for (const auto* files : {&outcome.change.added_data, &outcome.change.added_deletes}) {
    for (const iceberg::DataFile& file : *files) {
      if (auto path = context.lake.Relative(file.path); path.ok())
        step.written.push_back(std::move(*path));
    }
  }
  const iceberg::Properties marks =
      Marks(input, evolution.layout(), std::max(covered, outcome.last));
  outcome.change.properties = marks;
  outcome.change.summary = marks;
  outcome.change.summary.erase(std::string(kColumnsProperty));
  if (evolution.schema_changed()) {
    outcome.change.schema = evolution.schema();
    outcome.change.last_column_id = evolution.last_column_id();
  }
  MR_ASSIGN(step.staged, StageOn(context.lake, context.manifests, std::move(base), outcome.change,
                                 context.options.retention, context.clock.Now()));
  step.written.insert(step.written.end(), step.staged->new_files.begin(),
                      step.staged->new_files.end());
  return step;
}

}  // namespace millrace::silver
