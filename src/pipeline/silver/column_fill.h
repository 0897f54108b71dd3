#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "iceberg/schema.h"
#include "model/table_schema.h"
#include "pipeline/silver/layout.h"
#include "table/data_reader.h"

// Values of a column in rows that are older than the column: docs/formats/silver.md, "Schema
// changes".
namespace millrace::silver {

// A column that was added with a constant default: it shows in each row that was open then.
struct AddedDefault {
  int16_t attnum = 0;
  LogicalType type;     // the default's, at that schema version
  std::string missing;  // SourceColumn::missing
};

// A default as the columns of a Silver table hold it.
struct DefaultValue {
  size_t column = 0;                    // of the layout
  std::shared_ptr<arrow::Array> value;  // one row
  std::shared_ptr<arrow::Array> text;   // one row of "<name>__pg"; nullptr when it is not needed
};
// kCorrupt names the column when the default is no value of its type.
Result<DefaultValue> DecodeDefault(const AddedDefault& added, const Layout& layout,
                                   const iceberg::Schema& schema);

// What reading files of open versions gives for columns that those files are older than. Immutable
// once made.
class ColumnFills {
 public:
  ColumnFills() = default;
  ColumnFills(std::vector<DefaultValue> values, const Layout& layout);

  bool empty() const { return values_.empty(); }
  // As DataReader::Read, with the defaults in place of null.
  Result<std::shared_ptr<arrow::RecordBatch>> Read(table::DataReader& reader, int row_group,
                                                   const std::vector<iceberg::Field>& fields) const;

 private:
  struct Fill {
    int32_t field_id;
    std::shared_ptr<arrow::Array> value;
  };
  std::vector<Fill> values_;
};

}  // namespace millrace::silver
