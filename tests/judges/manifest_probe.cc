// Writes and reads Iceberg metadata files without a table's data, so that tests can lay them beside
// what other libraries write and read. Not part of the product.
//
//   manifest_probe write <folder>            manifests, a manifest list and t.metadata.json of a
//   made-up table manifest_probe read <metadata file>      the current snapshot's entries, one JSON
//   object a line manifest_probe transform <file>          lines {"transform", "type", "value"}:
//   answers {"result"}; {"bound", "value"}: the string's
//                                            truncated {"lower", "upper"}; bytes and decimals are
//                                            hex and digits, as in the answers
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>

#include "base/format.h"
#include "base/text.h"
#include "iceberg/manifest.h"
#include "iceberg/update.h"

namespace millrace::iceberg {
namespace {

using json::Value;

constexpr int64_t kFirst =
    9007199254740993;  // above 2^53: a reader that goes through doubles gets another id
constexpr int64_t kSecond = 9007199254740995;

Schema ProbeSchema() {
  Schema schema;
  schema.identifier_field_ids = {1};
  schema.fields = {{1, "id", true, Primitive(TypeId::kLong), "the key"},
                   {2, "is_current", true, Primitive(TypeId::kBoolean), ""},
                   {3, "placed_at", false, Primitive(TypeId::kTimestampTz), ""},
                   {4, "price", false, Decimal(12, 2), ""},
                   {5, "ratio", false, Primitive(TypeId::kDouble), ""},
                   {6, "note", false, Primitive(TypeId::kString), ""},
                   {7, "tags", false, List(8, Primitive(TypeId::kString), false), ""}};
  return schema;
}

PartitionSpec ProbeSpec() {
  PartitionSpec spec;
  spec.fields = {{2, 1000, "is_current", {TransformKind::kIdentity, 0}},
                 {3, 1001, "placed.day", {TransformKind::kDay, 0}},
                 {1, 1002, "id_bucket", {TransformKind::kBucket, 16}},
                 {4, 1003, "price", {TransformKind::kIdentity, 0}},
                 {4, 1004, "price_100", {TransformKind::kTruncate, 100}},
                 {6, 1005, "1st note", {TransformKind::kTruncate, 4}},
                 {3, 1006, "placed_hour", {TransformKind::kHour, 0}}};
  return spec;
}

std::vector<Literal> Tuple(bool current, int32_t day, int64_t id, Int128 price, std::string note) {
  const Literal bucket = *Apply({TransformKind::kBucket, 16}, id, *Primitive(TypeId::kLong));
  return {current, day, bucket, price, price - price % 100, std::move(note), day * 24};
}

DataFile DataFileAt(const std::string& root, const std::string& name,
                    std::vector<Literal> partition) {
  DataFile file;
  file.path = Format("file://{}/data/{}", root, name);
  file.partition = std::move(partition);
  file.record_count = 3;
  file.file_size = 1234;
  file.column_sizes = {{1, 40}, {6, 60}};
  file.value_counts = {{1, 3}, {5, 3}, {6, 3}};
  file.null_value_counts = {{1, 0}, {5, 1}, {6, 0}};
  file.nan_value_counts = {{5, 1}};
  const std::string note(40, 'n');
  file.lower_bounds = {{1, ToBytes(int64_t{-5}, *Primitive(TypeId::kLong))},
                       {6, TruncateLower(note, *Primitive(TypeId::kString))}};
  file.upper_bounds = {{1, ToBytes(int64_t{7}, *Primitive(TypeId::kLong))},
                       {6, *TruncateUpper(note, *Primitive(TypeId::kString))}};
  file.split_offsets = {4};
  return file;
}

ManifestEntry Added(DataFile file) {
  ManifestEntry entry;
  entry.file = std::move(file);
  return entry;
}

Status Put(const std::string& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return out.good() ? Status() : Status(Fail(ErrorKind::kUnavailable, "cannot write {}", path));
}

Result<std::string> Get(std::string location) {
  for (const std::string_view scheme : {"file://", "file:"}) {
    if (!location.starts_with(scheme)) continue;
    location.erase(0, scheme.size());
    break;
  }
  std::ifstream in(location, std::ios::binary);
  if (!in) return Fail(ErrorKind::kNotFound, "cannot read {}", location);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

Result<ManifestFile> PutManifest(const std::string& root, const std::string& name,
                                 const std::vector<ManifestEntry>& entries, ManifestContent content,
                                 int64_t snapshot_id) {
  MR_ASSIGN(WrittenManifest written,
            WriteManifest(entries, content, ProbeSchema(), ProbeSpec(), snapshot_id));
  MR_TRY(Put(Format("{}/metadata/{}", root, name), written.bytes));
  written.row.path = Format("file://{}/metadata/{}", root, name);
  return written.row;
}

Result<Snapshot> PutSnapshot(const std::string& root, const std::vector<ManifestFile>& rows,
                             const ManifestListKey& key) {
  MR_ASSIGN(const std::string bytes, WriteManifestList(rows, key));
  const std::string path = Format("{}/metadata/snap-{}-1.avro", root, key.snapshot_id);
  MR_TRY(Put(path, bytes));
  Snapshot snapshot;
  snapshot.snapshot_id = key.snapshot_id;
  snapshot.parent_snapshot_id = key.parent_snapshot_id;
  snapshot.sequence_number = key.sequence_number;
  snapshot.timestamp_ms = 1'700'000'000'000 + key.sequence_number;
  snapshot.manifest_list = "file://" + path;
  snapshot.summary = {{"operation", key.parent_snapshot_id ? "overwrite" : "append"},
                      {"total-records", "6"}};
  snapshot.schema_id = 0;
  return snapshot;
}

std::vector<TableUpdate> Advance(Snapshot snapshot) {
  const int64_t id = snapshot.snapshot_id;
  return {update::AddSnapshot{std::move(snapshot)},
          update::SetSnapshotRef{"main", {id, "branch", {}, {}, {}}}};
}

// Two snapshots: two files added; then one of them removed, the other kept, and a position delete
// file for it.
Status WriteTable(const std::string& root) {
  const DataFile a = DataFileAt(root, "a.parquet", Tuple(true, 20000, 7, 123456, "abcd"));
  const DataFile b =
      DataFileAt(root, "b.parquet",
                 {false, Literal(), Literal(), Int128{-1}, Int128{-100}, Literal(), Literal()});
  MR_ASSIGN(ManifestFile first,
            PutManifest(root, "m0.avro", {Added(a), Added(b)}, ManifestContent::kData, kFirst));
  MR_ASSIGN(Snapshot one, PutSnapshot(root, {first}, {kFirst, {}, 1}));

  std::vector<ManifestEntry> entries = {Added(a), Added(b)};
  for (ManifestEntry& entry : entries) entry.sequence_number = entry.file_sequence_number = 1;
  entries[0].status = EntryStatus::kExisting;
  entries[0].snapshot_id = kFirst;
  entries[1].status = EntryStatus::kDeleted;
  entries[1].snapshot_id = kSecond;
  DataFile positions = DataFileAt(root, "a-deletes.parquet", a.partition);
  positions.content = FileContent::kPositionDeletes;
  positions.referenced_data_file = a.path;
  positions.lower_bounds = positions.upper_bounds = {{2147483546, a.path}};
  MR_ASSIGN(ManifestFile kept,
            PutManifest(root, "m1.avro", entries, ManifestContent::kData, kSecond));
  MR_ASSIGN(ManifestFile deletes,
            PutManifest(root, "m2.avro", {Added(positions)}, ManifestContent::kDeletes, kSecond));
  MR_ASSIGN(Snapshot two, PutSnapshot(root, {kept, deletes}, {kSecond, kFirst, 2}));

  std::vector<TableUpdate> updates = {
      update::AssignUuid{"9c12d441-03fe-4693-9a96-a0705ddf69c1"},
      update::SetLocation{"file://" + root},
      update::AddSchema{ProbeSchema(), 8},
      update::SetCurrentSchema{-1},
      update::AddSpec{ProbeSpec()},
      update::SetDefaultSpec{-1},
      update::SetProperties{{{"write.delete.mode", "merge-on-read"}}}};
  for (TableUpdate& u : Advance(std::move(one))) updates.push_back(std::move(u));
  MR_ASSIGN(const TableMetadata created, Apply(nullptr, "", updates, 1'700'000'000'001));
  MR_ASSIGN(const TableMetadata table,
            Apply(&created, Format("file://{}/metadata/0.metadata.json", root),
                  Advance(std::move(two)), 1'700'000'000'002));
  return Put(root + "/metadata/t.metadata.json", WriteMetadata(table));
}

Value LiteralJson(const Literal& value) {
  if (const auto* b = std::get_if<bool>(&value)) return *b;
  if (const auto* i = std::get_if<int32_t>(&value)) return *i;
  if (const auto* l = std::get_if<int64_t>(&value)) return *l;
  if (const auto* f = std::get_if<float>(&value)) return static_cast<double>(*f);
  if (const auto* d = std::get_if<double>(&value)) return *d;
  if (const auto* d = std::get_if<Int128>(&value)) return static_cast<int64_t>(*d);
  if (const auto* s = std::get_if<std::string>(&value)) return ToHex(*s);
  return nullptr;
}

template <typename Map, typename ToValue>
Value MapJson(const Map& map, ToValue to_value) {
  Value::Object object;
  for (const auto& [key, value] : map) object.emplace_back(Format("{}", key), to_value(value));
  return object;
}

Value EntryJson(const ManifestFile& row, const ManifestEntry& entry,
                const std::string& partition_path) {
  const auto number = [](int64_t n) { return Value(n); };
  const auto hex = [](const std::string& bytes) { return Value(ToHex(bytes)); };
  Value::Array partition, offsets;
  for (const Literal& value : entry.file.partition) partition.push_back(LiteralJson(value));
  for (const int64_t offset : entry.file.split_offsets) offsets.emplace_back(offset);
  return Value::Object{{"manifest", row.path},
                       {"spec_id", row.spec_id},
                       {"status", static_cast<int>(entry.status)},
                       {"snapshot_id", *entry.snapshot_id},
                       {"sequence_number", *entry.sequence_number},
                       {"content", static_cast<int>(entry.file.content)},
                       {"path", entry.file.path},
                       {"partition", std::move(partition)},
                       {"partition_path", partition_path},
                       {"record_count", entry.file.record_count},
                       {"file_size", entry.file.file_size},
                       {"value_counts", MapJson(entry.file.value_counts, number)},
                       {"null_value_counts", MapJson(entry.file.null_value_counts, number)},
                       {"lower_bounds", MapJson(entry.file.lower_bounds, hex)},
                       {"upper_bounds", MapJson(entry.file.upper_bounds, hex)},
                       {"split_offsets", std::move(offsets)}};
}

Status ReadTable(const std::string& location) {
  MR_ASSIGN(const std::string text, Get(location));
  MR_ASSIGN(const TableMetadata table, ReadMetadata(text, location));
  const Snapshot* snapshot = table.CurrentSnapshot();
  if (snapshot == nullptr) return {};
  MR_ASSIGN(const std::string list, Get(snapshot->manifest_list));
  MR_ASSIGN(const std::vector<ManifestFile> rows, ReadManifestList(list, snapshot->manifest_list));
  for (const ManifestFile& row : rows) {
    MR_ASSIGN(const std::string bytes, Get(row.path));
    const PartitionSpec* spec = table.FindSpec(row.spec_id);
    if (spec == nullptr)
      return Fail(ErrorKind::kCorrupt, "{} has no spec {}", location, row.spec_id);
    MR_ASSIGN(const std::vector<ManifestEntry> entries,
              ReadManifest(bytes, row, table.CurrentSchema(), *spec));
    for (const ManifestEntry& entry : entries) {
      const std::string partition_path =
          PartitionPath(*spec, table.CurrentSchema(), entry.file.partition);
      std::cout << json::Write(EntryJson(row, entry, partition_path)) << '\n';
    }
  }
  return {};
}

Literal LiteralFromJson(const Value& value, const Type& type) {
  switch (type.id) {
    case TypeId::kInt:
    case TypeId::kDate:
      return static_cast<int32_t>(value.AsInt());
    case TypeId::kDecimal:
      return *DecimalFromBytes(*FromHex(value.AsString()));
    case TypeId::kLong:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      return value.AsInt();
    default:
      return *FromHex(value.AsString());
  }
}

Status Transforms(const std::string& path) {
  MR_ASSIGN(const std::string text, Get(path));
  for (const std::string_view line : Split(text, '\n')) {
    if (line.empty()) continue;
    MR_ASSIGN(const Value request, json::Parse(line, path));
    if (request.Find("bound") != nullptr) {
      const std::string value = *FromHex(request.Find("value")->AsString());
      const TypePtr string = Primitive(TypeId::kString);
      const auto upper = TruncateUpper(value, *string);
      const Value answer = Value::Object{{"lower", ToHex(TruncateLower(value, *string))},
                                         {"upper", upper ? Value(ToHex(*upper)) : Value()}};
      std::cout << json::Write(answer) << '\n';
      continue;
    }
    MR_ASSIGN(const Transform transform, ParseTransform(request.Find("transform")->AsString()));
    MR_ASSIGN(const TypePtr type, TypeFromJson(*request.Find("type")));
    MR_ASSIGN(const Literal result,
              Apply(transform, LiteralFromJson(*request.Find("value"), *type), *type));
    const auto* decimal = std::get_if<Int128>(&result);
    std::cout << json::Write(Value::Object{{"result", decimal ? Value(ToHex(DecimalBytes(*decimal)))
                                                              : LiteralJson(result)}})
              << '\n';
  }
  return {};
}

}  // namespace
}  // namespace millrace::iceberg

int main(int argc, char** argv) {
  const std::string mode = argc == 3 ? argv[1] : "";
  using Mode = millrace::Status (*)(const std::string&);
  const std::map<std::string, Mode> modes = {{"write", millrace::iceberg::WriteTable},
                                             {"read", millrace::iceberg::ReadTable},
                                             {"transform", millrace::iceberg::Transforms}};
  const auto chosen = modes.find(mode);
  if (chosen == modes.end()) {
    std::cerr << "usage: manifest_probe write|read|transform <path>\n";
    return 2;
  }
  const millrace::Status status = chosen->second(argv[2]);
  if (!status.ok()) std::cerr << status.error().ToString() << '\n';
  return status.ok() ? 0 : 1;
}
