#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "iceberg/type.h"
#include "model/logical_type.h"

namespace millrace::silver {

// One JSON value of an event, as the parser hands it over. Views live until the next line is
// parsed.
struct JsonScalar {
  enum class Kind : uint8_t { kNull, kBool, kInteger, kDouble, kString, kArray };
  Kind kind = Kind::kNull;
  bool boolean = false;
  int64_t integer = 0;
  double real = 0;
  std::string_view text;  // unescaped
  const std::vector<JsonScalar>* elements =
      nullptr;  // kArray: scalars, arrays of arrays do not occur
};

// How a value fits a column.
enum class Fit : uint8_t {
  kHeld,   // the column's Iceberg type holds it
  kText,   // a value of the source type that the Iceberg type cannot hold: null there, its text in
           // "<name>__pg"
  kWrong,  // no value of the source type at all: a damaged or foreign event
};

// Appends values of one kind to an Arrow builder. Check says what Append would do, without doing
// it.
class ValueAppender {
 public:
  virtual ~ValueAppender() = default;
  virtual Fit Append(const JsonScalar& value) = 0;  // kHeld: appended; else nothing was
  virtual Fit Check(const JsonScalar& value) const = 0;
  virtual void AppendNull() = 0;
  virtual arrow::ArrayBuilder& builder() = 0;
};

// Builds one Silver column of one Bronze file: the values, and where it is needed the text beside
// them. Rows are added one by one.
class ColumnBuilder {
 public:
  // `source` is the type in the file's schema version, `target` the Silver column's type, which may
  // be wider. Where it is another type altogether (it was for a while: SchemaEvolution, Bridge),
  // the values that both have are held, and all others are text.
  static Result<ColumnBuilder> New(const LogicalType& source, const iceberg::TypePtr& target);
  ColumnBuilder(ColumnBuilder&&) noexcept;
  ColumnBuilder& operator=(ColumnBuilder&&) noexcept;
  ~ColumnBuilder();

  void AppendNull();
  // kCorrupt (without the value) when it is none of the source type.
  Status Append(const JsonScalar& value);
  // Whether numbers are to be parsed as doubles.
  bool wants_double() const { return wants_double_; }

  // `text` is nullptr when no row needed it.
  Status Finish(std::shared_ptr<arrow::Array>* values, std::shared_ptr<arrow::Array>* text);

 private:
  ColumnBuilder() = default;
  void AppendText(const JsonScalar& value);

  LogicalKind kind_ = LogicalKind::kOpaque;
  bool wants_double_ = false;
  int64_t rows_ = 0;
  std::unique_ptr<ValueAppender> values_;
  std::unique_ptr<arrow::StringBuilder> text_;
};

}  // namespace millrace::silver
