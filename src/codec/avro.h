#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "codec/json.h"

// Avro 1.11 object container files with the schema attributes that Iceberg needs (`field-id`,
// `element-id`, `key-id`, `value-id`, `logicalType`), which Debian's avro-c drops. Records are
// resolved by field id, never by name or order.
namespace millrace::avro {

struct Datum;
using Record = std::vector<Datum>;  // in the order of the schema's fields

// One Avro value. Unions hold the value itself; null is monostate. int and long are both int64_t,
// bytes/fixed/string std::string, arrays (and maps with int keys, which Iceberg stores as arrays of
// key-value records) `items`, records `items` too. A map with string keys is read as an array of
// (key, value) records, an enum as its index. An empty optional array is written as null.
struct Datum {
  std::variant<std::monostate, bool, int64_t, float, double, std::string> scalar;
  std::vector<Datum> items;

  Datum() = default;
  template <typename T>
  requires(!std::same_as<std::decay_t<T>, Datum>) explicit Datum(T value)
      : scalar(std::move(value)) {}
  static Datum Of(std::vector<Datum> items) {
    Datum d;
    d.items = std::move(items);
    return d;
  }
  bool is_null() const { return scalar.index() == 0 && items.empty(); }
};

// Writes one container file in memory. `schema` is the JSON text as stored under avro.schema; the
// encoder walks it, so a datum must have its shape (kInternal otherwise). Optional fields are
// ["null", T].
class Writer {
 public:
  // `metadata` are the file's key-values beside avro.schema and avro.codec. Codec: deflate (raw),
  // level 6.
  static Result<std::unique_ptr<Writer>> New(const json::Value& schema,
                                             const std::map<std::string, std::string>& metadata);
  virtual ~Writer() = default;
  virtual Status Append(const Datum& record) = 0;
  // The complete file. No use of the writer afterwards.
  virtual Result<std::string> Finish() = 0;
};

// Reads a container file record by record: codecs null, deflate, zstandard and snappy. Borrows
// `bytes` and `what`.
class Reader {
 public:
  static Result<std::unique_ptr<Reader>> Open(std::string_view bytes, std::string_view what);
  virtual ~Reader() = default;
  virtual const json::Value& schema() const = 0;
  virtual const std::map<std::string, std::string>& metadata() const = 0;
  // False at the end. `record` must be a fresh Datum.
  virtual Result<bool> Next(Datum& record) = 0;
};

// The whole file at once.
struct File {
  json::Value schema;
  std::map<std::string, std::string> metadata;
  std::vector<Datum> records;
};
Result<File> Read(std::string_view bytes, std::string_view what);

// The position of the field with this `field-id` in a record schema, or -1.
int FieldIndex(const json::Value& record_schema, int field_id);
// The schema of a field or union with the null branch taken away.
const json::Value& NonNull(const json::Value& schema);

}  // namespace millrace::avro
