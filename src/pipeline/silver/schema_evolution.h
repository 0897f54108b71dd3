#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "iceberg/metadata.h"
#include "pipeline/silver/column_fill.h"
#include "pipeline/silver/layout.h"

namespace millrace::silver {

// Carries a Silver table from one version of its source table to the next, by attnum: add, drop
// (kept as null), rename, widen. Pure. What cannot be carried is kUnsupported, with a sentence that
// says how to go on: the table belongs in quarantine.
class SchemaEvolution {
 public:
  SchemaEvolution(const Layout& layout, const iceberg::TableMetadata& base);

  // What is done about a column whose type its Silver column cannot take.
  enum class OtherType {
    kRefuse,
    // The column keeps its Silver type, and values that this cannot hold go to the text column. For
    // a type that the source has given up again.
    kBridge,
  };
  // Call for each schema version in the order in which the events were written.
  Status Apply(const TableSchema& source, OtherType other_type = OtherType::kRefuse);
  // Adds "<name>__pg" for this column of layout().
  Status AddTextColumn(size_t column);

  const Layout& layout() const { return layout_; }
  const iceberg::Schema& schema() const { return schema_; }  // with the id that Finish gives
  bool schema_changed() const { return schema_changed_; }
  int32_t last_column_id() const { return last_column_id_; }
  // Of the columns that Apply added.
  const std::vector<AddedDefault>& defaults() const { return defaults_; }

 private:
  Status Add(const SourceColumn& column);
  Status Follow(SilverColumn& column, const SourceColumn& now, OtherType other_type);
  Status Drop(SilverColumn& column);
  // All renames at once, by way of names that nothing else has, so that columns may swap theirs.
  Status Rename(const std::vector<std::pair<size_t, std::string>>& renames);
  Status Update(const std::function<Status(iceberg::SchemaUpdate&)>& change);

  Layout layout_;
  iceberg::Schema schema_;
  int32_t schema_id_;
  int32_t last_column_id_;
  bool schema_changed_ = false;
  std::vector<AddedDefault> defaults_;
};

// Applies the schema versions of a batch. `settled`: the version that the table has by now, if that
// is known; when the column types are back to what Silver can take, versions in between are
// bridged.
Status ApplyVersions(const std::vector<TableSchema>& versions, const TableSchema* settled,
                     SchemaEvolution& evolution);

}  // namespace millrace::silver
