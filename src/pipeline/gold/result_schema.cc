#include "pipeline/gold/result_schema.h"

#include <algorithm>

#include "base/format.h"

namespace millrace::gold {

Result<SchemaFit> FitSchema(const iceberg::TableMetadata& table, const iceberg::Schema& result,
                            std::string_view partition_column) {
  const iceberg::Schema& current = table.CurrentSchema();
  int32_t last_column_id = table.last_column_id;
  iceberg::SchemaUpdate update(current, &last_column_id);
  for (const iceberg::Field& old : current.fields) {
    const iceberg::Field* now = result.FindByName(old.name);
    const bool keeps =
        now != nullptr &&
        (iceberg::CanPromote(*old.type, *now->type) || iceberg::CanPromote(*now->type, *old.type) ||
         iceberg::ToString(*old.type) == iceberg::ToString(*now->type));
    if (keeps) {
      if (!iceberg::CanPromote(*now->type, *old.type) &&
          iceberg::CanPromote(*old.type, *now->type)) {
        MR_TRY(update.PromoteColumn(old.id, now->type));
      }
      continue;
    }
    if (old.name == partition_column) {
      return Fail(ErrorKind::kInvalidInput,
                  "partition: column '{}' was published as {} and cannot change; give the table "
                  "another name in its file",
                  old.name, iceberg::ToString(*old.type));
    }
    MR_TRY(update.DropColumn(old.id));
    if (now != nullptr) MR_TRY(update.AddColumn(now->name, now->type));
  }
  for (const iceberg::Field& now : result.fields) {
    if (current.FindByName(now.name) == nullptr) MR_TRY(update.AddColumn(now.name, now.type));
  }
  SchemaFit fit;
  if (!update.changed()) {
    fit.schema = current;
    return fit;
  }
  int32_t highest = 0;
  for (const iceberg::Schema& schema : table.schemas) highest = std::max(highest, schema.schema_id);
  fit.schema = update.Finish(highest + 1);
  fit.last_column_id = last_column_id;
  return fit;
}

}  // namespace millrace::gold
