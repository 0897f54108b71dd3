#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>

#include <unordered_map>

#include "pipeline/silver/arrow_result.h"
#include "pipeline/silver/merge_writer.h"
#include "pipeline/silver/parallel.h"

namespace millrace::silver {
namespace {

// Builds one SCD2 column of the given rows.
Result<std::shared_ptr<arrow::Array>> BuildScd(Scd column,
                                               const std::shared_ptr<arrow::DataType>& type,
                                               const OutputRow* begin, const OutputRow* end) {
  const auto fill = [&](auto& builder, auto value,
                        bool nullable) -> arrow::Result<std::shared_ptr<arrow::Array>> {
    ARROW_RETURN_NOT_OK(builder.Reserve(end - begin));
    for (const OutputRow* row = begin; row != end; ++row) {
      if (nullable && !row->closed) {
        builder.UnsafeAppendNull();
      } else {
        builder.UnsafeAppend(value(*row));
      }
    }
    return builder.Finish();
  };
  const auto build = [&]() -> arrow::Result<std::shared_ptr<arrow::Array>> {
    arrow::MemoryPool* pool = arrow::default_memory_pool();
    arrow::TimestampBuilder times(type, pool);
    arrow::BooleanBuilder flags;
    arrow::Int32Builder ints;
    arrow::Int64Builder longs;
    switch (column) {
      case Scd::kValidFrom:
        return fill(
            times, [](const OutputRow& r) { return r.valid_from; }, false);
      case Scd::kValidTo:
        return fill(
            times, [](const OutputRow& r) { return r.valid_to; }, true);
      case Scd::kIsCurrent:
        return fill(
            flags, [](const OutputRow& r) { return !r.closed; }, false);
      case Scd::kIsDeleted:
        return fill(
            flags, [](const OutputRow& r) { return r.deleted; }, false);
      case Scd::kVersion:
        return fill(
            ints, [](const OutputRow& r) { return r.version; }, false);
      case Scd::kOp: {
        arrow::StringBuilder ops;
        ARROW_RETURN_NOT_OK(ops.Reserve(end - begin));
        ARROW_RETURN_NOT_OK(ops.ReserveData(end - begin));
        for (const OutputRow* row = begin; row != end; ++row) ops.UnsafeAppend(&row->op, 1);
        return ops.Finish();
      }
      case Scd::kFromLsn:
        return fill(
            longs, [](const OutputRow& r) { return static_cast<int64_t>(r.from.commit_lsn); },
            false);
      case Scd::kFromOrd:
        return fill(
            longs, [](const OutputRow& r) { return r.from.ordinal; }, false);
      case Scd::kToLsn:
        return fill(
            longs, [](const OutputRow& r) { return static_cast<int64_t>(r.to.commit_lsn); }, true);
      case Scd::kToOrd:
        return fill(
            longs, [](const OutputRow& r) { return r.to.ordinal; }, true);
    }
    return arrow::Status::Invalid("unknown column");
  };
  return FromArrow(build(), "building rows");
}

}  // namespace

Result<std::shared_ptr<arrow::RecordBatch>> BuildRows(const TableAccess& table,
                                                      const RowSpace& space, const OutputRow* begin,
                                                      const OutputRow* end) {
  std::vector<int64_t> rows;
  rows.reserve(static_cast<size_t>(end - begin));
  for (const OutputRow* row = begin; row != end; ++row) rows.push_back(row->row);
  // Which column of ours or of the source each field is.
  enum class Part { kValues, kTexts, kScd };
  std::unordered_map<int32_t, std::pair<Part, size_t>> parts;
  for (size_t i = 0; i < table.layout.columns.size(); ++i) {
    parts[table.layout.columns[i].field_id] = {Part::kValues, i};
    if (table.HasText(i)) parts[table.layout.columns[i].text_field_id] = {Part::kTexts, i};
  }
  for (size_t i = 0; i < table.scd.size(); ++i) parts[table.scd[i]] = {Part::kScd, i};

  const auto schema = table::ToArrow(table.schema);
  arrow::ArrayVector arrays(table.schema.fields.size());
  MR_TRY(ParallelFor(arrays.size(), table.threads, [&](size_t i) -> Status {
    const auto& type = schema->field(static_cast<int>(i))->type();
    const auto found = parts.find(table.schema.fields[i].id);
    // A column that somebody else added to the table stays null.
    const bool foreign = found == parts.end();
    const size_t n = foreign ? 0 : found->second.second;
    if (foreign || (found->second.first == Part::kTexts && !space.HasText(n))) {
      MR_ASSIGN(arrays[i], FromArrow(arrow::MakeArrayOfNull(type, end - begin), "column of nulls"));
      return {};
    }
    switch (found->second.first) {
      case Part::kValues: {
        MR_ASSIGN(arrays[i], space.TakeValues(n, rows));
        break;
      }
      case Part::kTexts: {
        MR_ASSIGN(arrays[i], space.TakeTexts(n, rows));
        break;
      }
      case Part::kScd: {
        MR_ASSIGN(arrays[i], BuildScd(static_cast<Scd>(n), type, begin, end));
        break;
      }
    }
    return {};
  }));
  return arrow::RecordBatch::Make(schema, end - begin, std::move(arrays));
}

}  // namespace millrace::silver
