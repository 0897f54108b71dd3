#include "pipeline/gold/input_mark.h"

#include "base/format.h"
#include "codec/json.h"

namespace millrace::gold {

std::string WriteInputMarks(const InputMarks& marks) {
  json::Value tables{json::Value::Object{}};
  for (const auto& [name, mark] : marks.tables) {
    json::Value entry;
    entry.Set("uuid", mark.table_uuid);
    entry.Set("snapshot_id", mark.snapshot_id);
    entry.Set("commit_lsn", mark.position.commit_lsn);
    entry.Set("ordinal", mark.position.ordinal);
    tables.Set(name, std::move(entry));
  }
  json::Value root;
  root.Set("cut", marks.cut);
  root.Set("sql", marks.sql_fingerprint);
  root.Set("tables", std::move(tables));
  return json::Write(root);
}

Result<InputMarks> ParseInputMarks(std::string_view text, std::string_view what) {
  MR_ASSIGN(const json::Value root, json::Parse(text, what));
  InputMarks marks;
  MR_ASSIGN(marks.cut, root.Int("cut"));
  MR_ASSIGN(marks.sql_fingerprint, root.String("sql"));
  const json::Value* tables = root.Find("tables");
  if (tables == nullptr || !tables->is_object()) {
    return Fail(ErrorKind::kCorrupt, "{}: member 'tables' must be an object", what);
  }
  for (const auto& [name, entry] : tables->AsObject()) {
    InputMark mark;
    MR_ASSIGN(mark.table_uuid, entry.String("uuid"));
    MR_ASSIGN(mark.snapshot_id, entry.Int("snapshot_id"));
    MR_ASSIGN(mark.position.commit_lsn, entry.Uint("commit_lsn"));
    MR_ASSIGN(mark.position.ordinal, entry.Int("ordinal"));
    marks.tables.emplace(name, std::move(mark));
  }
  return marks;
}

}  // namespace millrace::gold
