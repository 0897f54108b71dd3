#include "pipeline/silver/file_decoding.h"

#include <arrow/array.h>

#include <map>
#include <set>

#include "commitlog/commit_log.h"
#include "pipeline/silver/parallel.h"

namespace millrace::silver {

Result<SchemaVersions> ReadSchemas(ObjectStore& bronze, const std::vector<BronzeFile>& files) {
  SchemaVersions out;
  std::map<std::string, TableSchema> read;
  const std::string* last = nullptr;
  for (const BronzeFile& file : files) {
    if (last == nullptr || *last != file.schema) {
      auto found = read.find(file.schema);
      if (found == read.end()) {
        MR_ASSIGN(TableSchema schema, commitlog::ReadSchema(bronze, file.topic, file.schema));
        found = read.emplace(file.schema, std::move(schema)).first;
      }
      out.versions.push_back(found->second);
      last = &file.schema;
    }
    out.of_file.push_back(out.versions.size() - 1);
  }
  return out;
}

SchemaVersions Slice(const SchemaVersions& all, size_t begin, size_t end) {
  SchemaVersions part;
  if (begin == end) return part;
  const size_t first = all.of_file[begin];
  const auto at = all.versions.begin();
  part.versions.assign(at + static_cast<std::ptrdiff_t>(first),
                       at + static_cast<std::ptrdiff_t>(all.of_file[end - 1] + 1));
  for (size_t i = begin; i < end; ++i) part.of_file.push_back(all.of_file[i] - first);
  return part;
}

std::vector<size_t> SplitAtDefaults(const SchemaVersions& schemas, const Layout& layout) {
  std::set<int16_t> known;
  for (const SilverColumn& column : layout.columns) known.insert(column.attnum);
  std::vector<size_t> ends;
  for (size_t i = 0; i < schemas.of_file.size(); ++i) {
    if (i > 0 && schemas.of_file[i] == schemas.of_file[i - 1]) continue;
    bool splits = false;
    for (const SourceColumn& column : schemas.versions[schemas.of_file[i]].columns) {
      const bool added = known.insert(column.attnum).second;
      splits = splits || (added && column.missing);
    }
    if (splits && i > 0) ends.push_back(i);
  }
  ends.push_back(schemas.of_file.size());
  return ends;
}

Result<std::vector<DecodedFile>> DecodeFiles(const StepContext& context,
                                             const std::vector<BronzeFile>& files,
                                             const Layout& layout,
                                             const std::vector<iceberg::TypePtr>& columns,
                                             const std::vector<const TableSchema*>& schemas) {
  const int threads = context.options.threads;
  const int parts = files.size() == 1 ? threads : 1;
  std::vector<std::vector<DecodedFile>> decoded(files.size());
  MR_TRY(ParallelFor(files.size(), threads, [&](size_t i) -> Status {
    ByteBuffer lines;
    MR_TRY(commitlog::ReadFile(context.bronze, files[i], lines));
    (void)lines.Space(kDecodePadding);
    const std::vector<std::string_view> split = SplitLines(lines.view(), parts);
    decoded[i].resize(split.size());
    return ParallelFor(split.size(), parts, [&](size_t p) -> Status {
      MR_ASSIGN(decoded[i][p], DecodeEvents(split[p], split[p].data() - lines.data(), layout,
                                            columns, *schemas[i], files[i].path));
      return {};
    });
  }));
  std::vector<DecodedFile> all;
  for (std::vector<DecodedFile>& file : decoded) {
    for (DecodedFile& part : file) all.push_back(std::move(part));
  }
  return all;
}

std::vector<iceberg::TypePtr> ColumnTypes(const Layout& layout, const iceberg::Schema& schema) {
  std::vector<iceberg::TypePtr> types;
  for (const SilverColumn& column : layout.columns)
    types.push_back(schema.FindById(column.field_id)->type);
  return types;
}

}  // namespace millrace::silver
