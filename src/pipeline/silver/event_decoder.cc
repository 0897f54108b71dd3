#include "pipeline/silver/event_decoder.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/format.h"
#include "pipeline/silver/arrow_result.h"
#include "pipeline/silver/column_builder.h"

namespace millrace::silver {
namespace {

namespace od = simdjson::ondemand;
static_assert(simdjson::SIMDJSON_PADDING <= kDecodePadding);

// Columns of one JSON object of a file, in the order in which the file's schema version has them.
struct Member {
  std::string name;
  size_t column;  // of the layout
  ColumnBuilder* builder;
};

class FileDecoder {
 public:
  FileDecoder(const Layout& layout, const TableSchema& source, std::string_view what)
      : layout_(layout), source_(source), what_(what) {}

  Status Prepare(const std::vector<iceberg::TypePtr>& types);
  Status Decode(std::string_view lines, int64_t offset);
  Result<DecodedFile> Finish(const std::vector<iceberg::TypePtr>& types);

 private:
  Status Line(od::document& line);
  Status Value(od::object value, Event event);
  Status Image(od::object image, int32_t* missing);
  // Appends the members of a key object as one row of the key columns.
  Result<int32_t> Key(od::object key);
  Status Members(od::object object, const std::vector<Member>& members);
  Status Scalar(od::value value, const Member& member, JsonScalar* out);
  Status Element(od::value value, bool wants_double, JsonScalar* out);
  Status Json(simdjson::error_code code) {
    if (code == simdjson::SUCCESS) return {};
    return Damaged(simdjson::error_message(code));
  }
  Error Damaged(std::string_view problem) const {
    return Fail(ErrorKind::kCorrupt, "{}: the line at byte {}: {}", what_, line_offset_, problem);
  }

  const Layout& layout_;
  const TableSchema& source_;
  const std::string what_;
  od::parser parser_;
  std::vector<ColumnBuilder> builders_;  // parallel to members_
  std::vector<ColumnBuilder> key_builders_;
  std::vector<Member> members_, key_members_;
  std::vector<uint8_t> seen_;  // per member of the object being read
  std::vector<JsonScalar> elements_;
  DecodedFile out_;
  int64_t line_offset_ = 0;
  bool keyed_ = false;
};

Status FileDecoder::Prepare(const std::vector<iceberg::TypePtr>& types) {
  keyed_ = layout_.keyed();
  std::vector<size_t> of_source;
  for (const SourceColumn& column : source_.columns) {
    const int at = layout_.FindAttnum(column.attnum);
    if (at < 0)
      return Fail(ErrorKind::kInternal, "{}: column '{}' is not in the layout", what_, column.name);
    const auto i = static_cast<size_t>(at);
    MR_ASSIGN(ColumnBuilder builder, ColumnBuilder::New(column.type, types[i]));
    builders_.push_back(std::move(builder));
    members_.push_back({column.name, i, nullptr});
  }
  for (const SourceColumn* column : source_.KeyColumns()) {
    const auto i = static_cast<size_t>(layout_.FindAttnum(column->attnum));
    MR_ASSIGN(ColumnBuilder builder, ColumnBuilder::New(column->type, types[i]));
    key_builders_.push_back(std::move(builder));
    key_members_.push_back({column->name, i, nullptr});
  }
  for (size_t i = 0; i < members_.size(); ++i) members_[i].builder = &builders_[i];
  for (size_t i = 0; i < key_members_.size(); ++i) key_members_[i].builder = &key_builders_[i];
  out_.missing_words = (layout_.columns.size() + 63) / 64;
  return {};
}

Status FileDecoder::Decode(std::string_view lines, int64_t offset) {
  const char* at = lines.data();
  const char* end = at + lines.size();
  const size_t readable = lines.size() + kDecodePadding;
  while (at < end) {
    const auto* newline =
        static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end - at)));
    const char* stop = newline == nullptr ? end : newline;
    line_offset_ = offset + (at - lines.data());
    if (stop != at) {
      const simdjson::padded_string_view text(at, static_cast<size_t>(stop - at),
                                              readable - static_cast<size_t>(at - lines.data()));
      od::document line;
      MR_TRY(Json(parser_.iterate(text).get(line)));
      MR_TRY(Line(line));
    }
    at = stop + 1;
  }
  return {};
}

Status FileDecoder::Line(od::document& line) {
  od::object record;
  MR_TRY(Json(line.get_object().get(record)));
  Event event;
  // Members come in the order offset, timestamp, key, value, headers.
  od::value key;
  MR_TRY(Json(record["key"].get(key)));
  bool null = false;
  MR_TRY(Json(key.is_null().get(null)));
  if (!null && keyed_) {
    od::object object;
    MR_TRY(Json(key.get_object().get(object)));
    MR_ASSIGN(event.key, Key(object));
  }
  od::value value;
  MR_TRY(Json(record["value"].get(value)));
  MR_TRY(Json(value.is_null().get(null)));
  if (null) return {};  // a tombstone: the delete came before it
  od::object object;
  MR_TRY(Json(value.get_object().get(object)));
  MR_TRY(Value(object, event));
  Event& added = out_.events.back();
  if (added.op != 'c' || !keyed_) return {};
  od::value headers;
  const simdjson::error_code found = record["headers"].get(headers);
  if (found == simdjson::NO_SUCH_FIELD) return {};
  MR_TRY(Json(found));
  MR_TRY(Json(headers.is_null().get(null)));
  if (null) return {};
  od::object members;
  MR_TRY(Json(headers.get_object().get(members)));
  od::object old_key;
  const simdjson::error_code old = members["__debezium.oldkey"].get_object().get(old_key);
  if (old == simdjson::NO_SUCH_FIELD) return {};
  MR_TRY(Json(old));
  MR_ASSIGN(out_.events.back().old_key, Key(old_key));
  return {};
}

Result<int32_t> FileDecoder::Key(od::object key) {
  MR_TRY(Members(key, key_members_));
  for (size_t i = 0; i < key_members_.size(); ++i) {
    if (!seen_[i]) return Damaged(Format("the key lacks column '{}'", key_members_[i].name));
  }
  return static_cast<int32_t>(out_.key_rows++);
}

Status FileDecoder::Value(od::object value, Event event) {
  od::value image;
  bool null = false;
  MR_TRY(Json(value["before"].get(image)));
  if (!keyed_) {
    MR_TRY(Json(image.is_null().get(null)));
    if (!null) {
      od::object object;
      MR_TRY(Json(image.get_object().get(object)));
      int32_t missing = -1;
      MR_TRY(Image(object, &missing));
      if (missing >= 0)
        return Damaged("the image before the change is not whole, and the table has no key");
      event.before = static_cast<int32_t>(out_.rows++);
    }
  }
  MR_TRY(Json(value["after"].get(image)));
  MR_TRY(Json(image.is_null().get(null)));
  if (!null) {
    od::object object;
    MR_TRY(Json(image.get_object().get(object)));
    MR_TRY(Image(object, &event.missing));
    event.row = static_cast<int32_t>(out_.rows++);
  }
  od::object source;
  MR_TRY(Json(value["source"].get_object().get(source)));
  std::string_view snapshot;
  const simdjson::error_code found = source["snapshot"].get_string().get(snapshot);
  if (found != simdjson::NO_SUCH_FIELD) MR_TRY(Json(found));
  event.snapshot = snapshot == "true";
  uint64_t commit_lsn = 0;
  MR_TRY(Json(source["ts_us"].get_int64().get(event.time)));
  MR_TRY(Json(source["commit_lsn"].get_uint64().get(commit_lsn)));
  MR_TRY(Json(source["ordinal"].get_int64().get(event.position.ordinal)));
  event.position.commit_lsn = commit_lsn;
  std::string_view op;
  MR_TRY(Json(value["op"].get_string().get(op)));
  if (op.size() != 1 || std::string_view("cudrt").find(op[0]) == std::string_view::npos) {
    return Damaged("op is none of c, u, d, r, t");
  }
  event.op = op[0];
  event.snapshot = event.op == 'r' || (event.op == 't' && event.snapshot);
  if (event.snapshot) event.position.ordinal = event.op == 'r' ? -1 : -2;
  if ((event.op == 'c' || event.op == 'u' || event.op == 'r') != (event.row >= 0))
    return Damaged("op and 'after' do not agree");
  if (keyed_ && event.op != 't' && event.key < 0)
    return Damaged("the key is null, and the table has one");
  if (!keyed_ && (event.op == 'u' || event.op == 'd') && event.before < 0) {
    return Damaged(
        "no image before the change, and the table has no key: set REPLICA IDENTITY FULL");
  }
  if (!keyed_ && event.missing >= 0)
    return Damaged("the image after the change is not whole, and the table has no key");
  out_.events.push_back(event);
  return {};
}

Status FileDecoder::Image(od::object image, int32_t* missing) {
  MR_TRY(Members(image, members_));
  for (size_t i = 0; i < members_.size(); ++i) {
    if (seen_[i]) continue;
    members_[i].builder->AppendNull();
    if (*missing < 0) {
      *missing = static_cast<int32_t>(out_.missing.size() / out_.missing_words);
      out_.missing.resize(out_.missing.size() + out_.missing_words, 0);
    }
    const size_t column = members_[i].column;
    out_.missing[static_cast<size_t>(*missing) * out_.missing_words + column / 64] |=
        1ULL << (column % 64);
  }
  return {};
}

Status FileDecoder::Members(od::object object, const std::vector<Member>& members) {
  seen_.assign(members.size(), 0);
  size_t expected =
      0;  // members come in this order; a search is needed only after one that is absent
  for (auto entry : object) {
    od::field field;
    MR_TRY(Json(std::move(entry).get(field)));
    std::string_view name;
    MR_TRY(Json(field.unescaped_key().get(name)));
    size_t i = expected;
    if (i >= members.size() || members[i].name != name) {
      for (i = 0; i < members.size() && members[i].name != name; ++i) {
      }
      if (i == members.size())
        return Damaged(Format("column '{}' is not in the file's schema version", name));
    }
    if (seen_[i]) return Damaged(Format("column '{}' comes twice", name));
    JsonScalar scalar;
    MR_TRY(Scalar(field.value(), members[i], &scalar));
    if (const Status added = members[i].builder->Append(scalar); !added.ok()) {
      return Damaged(Format("column '{}': {}", name, added.error().message()));
    }
    seen_[i] = 1;
    expected = i + 1;
  }
  return {};
}

Status FileDecoder::Scalar(od::value value, const Member& member, JsonScalar* out) {
  od::json_type type{};
  MR_TRY(Json(value.type().get(type)));
  if (type != od::json_type::array) return Element(value, member.builder->wants_double(), out);
  od::array array;
  MR_TRY(Json(value.get_array().get(array)));
  elements_.clear();
  for (auto entry : array) {
    od::value element;
    MR_TRY(Json(std::move(entry).get(element)));
    MR_TRY(Element(element, member.builder->wants_double(), &elements_.emplace_back()));
  }
  out->kind = JsonScalar::Kind::kArray;
  out->elements = &elements_;
  return {};
}

Status FileDecoder::Element(od::value value, bool wants_double, JsonScalar* out) {
  od::json_type type{};
  MR_TRY(Json(value.type().get(type)));
  switch (type) {
    case od::json_type::null: {
      bool null = false;
      MR_TRY(Json(value.is_null().get(null)));
      if (!null) return Damaged("a word that is no JSON");
      out->kind = JsonScalar::Kind::kNull;
      return {};
    }
    case od::json_type::boolean:
      out->kind = JsonScalar::Kind::kBool;
      return Json(value.get_bool().get(out->boolean));
    case od::json_type::string:
      out->kind = JsonScalar::Kind::kString;
      return Json(value.get_string().get(out->text));
    case od::json_type::number:
      if (wants_double) {
        out->kind = JsonScalar::Kind::kDouble;
        return Json(value.get_double().get(out->real));
      }
      out->kind = JsonScalar::Kind::kInteger;
      return Json(value.get_int64().get(out->integer));
    default:
      return Damaged("an object or a nested array where a value belongs");
  }
}

Result<DecodedFile> FileDecoder::Finish(const std::vector<iceberg::TypePtr>& types) {
  out_.values.resize(layout_.columns.size());
  out_.texts.resize(layout_.columns.size());
  for (size_t i = 0; i < members_.size(); ++i) {
    MR_TRY(builders_[i].Finish(&out_.values[members_[i].column], &out_.texts[members_[i].column]));
  }
  for (size_t i = 0; i < layout_.columns.size(); ++i) {
    if (out_.values[i]) continue;
    out_.absent.push_back(i);  // the file's schema version does not have the column
    MR_ASSIGN(
        out_.values[i],
        FromArrow(arrow::MakeArrayOfNull(table::ToArrow(*types[i]), out_.rows), "column of nulls"));
  }
  for (ColumnBuilder& builder : key_builders_) {
    std::shared_ptr<arrow::Array> key, text;
    MR_TRY(builder.Finish(&key, &text));
    if (text) {
      return Fail(ErrorKind::kUnsupported,
                  "{}: a key of {} is a value that its Silver type cannot hold (NaN, infinity)",
                  what_, source_.QualifiedName());
    }
    out_.keys.push_back(std::move(key));
  }
  return std::move(out_);
}

}  // namespace

Result<DecodedFile> DecodeEvents(std::string_view lines, int64_t offset, const Layout& layout,
                                 const std::vector<iceberg::TypePtr>& columns,
                                 const TableSchema& source, std::string_view what) {
  FileDecoder decoder(layout, source, what);
  MR_TRY(decoder.Prepare(columns));
  MR_TRY(decoder.Decode(lines, offset));
  return decoder.Finish(columns);
}

std::vector<std::string_view> SplitLines(std::string_view lines, int parts) {
  constexpr size_t kLeast = 1 << 20;
  std::vector<std::string_view> cut;
  const size_t size = std::max(lines.size() / static_cast<size_t>(std::max(parts, 1)), kLeast);
  while (lines.size() > size + size / 2) {
    const size_t newline = lines.find('\n', size);
    if (newline == std::string_view::npos) break;
    cut.push_back(lines.substr(0, newline + 1));
    lines.remove_prefix(newline + 1);
  }
  if (!lines.empty()) cut.push_back(lines);
  return cut;
}

}  // namespace millrace::silver
