#include "app/lake_status.h"

#include <algorithm>

#include "app/text_table.h"
#include "base/format.h"

namespace millrace::app {
namespace {

std::string_view SnapshotName(SnapshotState state) {
  switch (state) {
    case SnapshotState::kNone:
      return "none";
    case SnapshotState::kRunning:
      return "running";
    case SnapshotState::kDone:
      return "done";
  }
  return "";
}

json::Value TimeOrNull(const std::optional<Micros>& time) {
  return time ? json::Value(FormatTimestamp(*time)) : json::Value();
}
json::Value TextOrNull(const std::optional<std::string>& text) {
  return text ? json::Value(*text) : json::Value();
}
json::Value AgeOrNull(const std::optional<Micros>& time, Micros now) {
  return time ? json::Value(static_cast<double>(now - *time) / kMicrosPerSecond) : json::Value();
}
std::string Ago(const std::optional<Micros>& time, Micros now) {
  return time ? HumanAge(std::max<Micros>(0, now - *time)) + " ago" : "never";
}

json::Value TableJson(const LakeStatus::Table& table, Micros now) {
  json::Value value;
  value.Set("table", table.name);
  value.Set("rows", table.facts.rows);
  if (table.facts.current) value.Set("current", *table.facts.current);
  value.Set("published_at", TimeOrNull(table.facts.published_at));
  value.Set("age_seconds", AgeOrNull(table.facts.published_at, now));
  return value;
}

json::Value TablesJson(const std::vector<LakeStatus::Table>& tables, Micros now) {
  json::Value::Array list;
  for (const LakeStatus::Table& table : tables) list.push_back(TableJson(table, now));
  return json::Value(std::move(list));
}

const silver::HeldTable* FindHeld(const LakeStatus& status, const std::string& topic) {
  for (const silver::HeldTable& held : status.mark.held) {
    if (held.topic == topic) return &held;
  }
  return nullptr;
}

std::string Writer(const std::optional<std::string>& writer) {
  return writer ? "written by " + *writer : std::string("nobody writes it now");
}

}  // namespace

json::Value ToJson(const LakeStatus& status, const Config& config) {
  json::Value source;
  source.Set("name", config.source.name);
  source.Set("database", config.source.database);
  source.Set("host", config.source.host);
  source.Set("port", config.source.port);
  source.Set("slot", config.source.slot);
  source.Set("lsn", status.source_lsn ? json::Value(FormatLsn(*status.source_lsn)) : json::Value());
  source.Set("lag_bytes", status.SourceLag() ? json::Value(*status.SourceLag()) : json::Value());
  source.Set("error", TextOrNull(status.source_error));

  json::Value bronze;
  const auto& position = status.bronze.position;
  bronze.Set("commit", status.bronze.number);
  bronze.Set("epoch", status.bronze.epoch);
  bronze.Set("snapshot", SnapshotName(status.bronze.snapshot));
  bronze.Set("commit_lsn",
             position ? json::Value(FormatLsn(position->last.commit_lsn)) : json::Value());
  bronze.Set("resume_lsn", position ? json::Value(FormatLsn(position->resume_lsn)) : json::Value());
  bronze.Set("committed_at", TimeOrNull(status.last_commit_at));
  bronze.Set("age_seconds", AgeOrNull(status.last_commit_at, status.now));
  bronze.Set("writer", TextOrNull(status.bronze_writer));

  json::Value silver;
  silver.Set("cut", status.mark.cut);
  silver.Set("bronze_commit", status.mark.bronze_commit);
  silver.Set("pending_commits", status.pending_commits);
  silver.Set("pending_records", status.pending_records);
  silver.Set("commit_lsn",
             status.cut ? json::Value(FormatLsn(status.cut->commit_lsn)) : json::Value());
  silver.Set("commit_time", status.cut ? TimeOrNull(status.cut->commit_time) : json::Value());
  silver.Set("published_at", status.cut ? TimeOrNull(status.cut->published_at) : json::Value());
  silver.Set("age_seconds",
             status.cut ? AgeOrNull(status.cut->published_at, status.now) : json::Value());
  json::Value::Array held_back;
  for (const silver::HeldTable& held : status.mark.held) {
    json::Value item;
    item.Set("table", held.table);
    item.Set("reason", held.reason);
    item.Set("bronze_commit", held.mark);
    held_back.push_back(std::move(item));
  }
  silver.Set("held_back", json::Value(std::move(held_back)));
  silver.Set("writer", TextOrNull(status.silver_writer));
  silver.Set("tables", TablesJson(status.silver, status.now));

  json::Value gold;
  gold.Set("writer", TextOrNull(status.gold_writer));
  gold.Set("tables", TablesJson(status.gold, status.now));

  json::Value all;
  all.Set("now", FormatTimestamp(status.now));
  all.Set("source", std::move(source));
  all.Set("bronze", std::move(bronze));
  all.Set("silver", std::move(silver));
  all.Set("gold", std::move(gold));
  return all;
}

std::string ToText(const LakeStatus& status, const Config& config) {
  std::string out = Format("source  {} at {}:{}, slot {}: ", config.source.database,
                           config.source.host, config.source.port, config.source.slot);
  if (status.source_error) {
    out += Format("cannot be asked: {}\n", *status.source_error);
  } else if (const auto lag = status.SourceLag()) {
    out += Format("{} of WAL not in Bronze yet\n", HumanBytes(*lag));
  } else {
    out += "reachable\n";
  }

  out +=
      Format("bronze  commit {}, {}", status.bronze.number, Ago(status.last_commit_at, status.now));
  if (status.bronze.position)
    out += Format(", up to {}", FormatLsn(status.bronze.position->last.commit_lsn));
  out += Format("; snapshot {}; {}\n", SnapshotName(status.bronze.snapshot),
                Writer(status.bronze_writer));

  if (status.cut) {
    out += Format("silver  cut {}, {}, up to {}; {}; {}\n", status.mark.cut,
                  Ago(status.cut->published_at, status.now), FormatLsn(status.cut->commit_lsn),
                  status.pending_records == 0
                      ? "has all of Bronze"
                      : GroupDigits(status.pending_records) + " records behind Bronze",
                  Writer(status.silver_writer));
  } else {
    out += Format("silver  nothing published yet; {}\n", Writer(status.silver_writer));
  }
  out += Format("gold    {} tables; {}\n", status.gold.size(), Writer(status.gold_writer));

  TextTable text({{"table"}, {"current", true}, {"rows", true}, {"changed", true}, {"state"}});
  const auto add = [&](const LakeStatus::Table& table) {
    const silver::HeldTable* held = table.topic.empty() ? nullptr : FindHeld(status, table.topic);
    text.Add({table.name, table.facts.current ? GroupDigits(*table.facts.current) : "",
              GroupDigits(table.facts.rows), Ago(table.facts.published_at, status.now),
              held == nullptr ? "ok" : "held back: " + held->reason});
  };
  for (const LakeStatus::Table& table : status.silver) add(table);
  // A table may be held back before it ever was in Silver.
  for (const silver::HeldTable& held : status.mark.held) {
    const bool listed = std::any_of(status.silver.begin(), status.silver.end(),
                                    [&](const auto& table) { return table.topic == held.topic; });
    if (!listed) text.Add({held.table, "", "", "never", "held back: " + held.reason});
  }
  for (const LakeStatus::Table& table : status.gold) add(table);
  if (text.rows() > 0) out += "\n" + text.Render();
  return out;
}

}  // namespace millrace::app
