#include "model/position.h"

#include "base/format.h"
#include "base/text.h"

namespace millrace {
namespace {

std::optional<uint32_t> ParseHex32(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

}  // namespace

std::string FormatLsn(Lsn lsn) { return Format("{:X}/{:X}", lsn >> 32, lsn & 0xFFFFFFFF); }

Result<Lsn> ParseLsn(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto high = ParseHex32(text.substr(0, slash)), low = ParseHex32(text.substr(slash + 1));
    if (high && low) return static_cast<Lsn>(*high) << 32 | *low;
  }
  return Fail(ErrorKind::kInvalidInput,
              "not an LSN: '{}' (expected two hexadecimal numbers, as in 16/B374D848)", text);
}

json::Value ToJson(const SourcePosition& position) {
  json::Value v;
  v.Set("kind", "pg");
  v.Set("system_id", std::to_string(position.system_id));
  v.Set("timeline", position.timeline);
  v.Set("commit_lsn", FormatLsn(position.last.commit_lsn));
  v.Set("ordinal", position.last.ordinal);
  v.Set("resume_lsn", FormatLsn(position.resume_lsn));
  v.Set("commit_time", position.commit_time);
  return v;
}

Result<SourcePosition> SourcePositionFromJson(const json::Value& value) {
  MR_ASSIGN(const std::string kind, value.String("kind"));
  if (kind != "pg")
    return Fail(ErrorKind::kUnsupported,
                "source position of kind '{}': this version reads 'pg' only", kind);
  MR_ASSIGN(const std::string system_id, value.String("system_id"));
  const auto id = ParseInt<uint64_t>(system_id);
  if (!id)
    return Fail(ErrorKind::kCorrupt, "source position: system_id '{}' is no number", system_id);
  SourcePosition position;
  position.system_id = *id;
  MR_ASSIGN(const int64_t timeline, value.Int("timeline"));
  position.timeline = static_cast<uint32_t>(timeline);
  MR_ASSIGN(const std::string commit_lsn, value.String("commit_lsn"));
  MR_ASSIGN(position.last.commit_lsn, ParseLsn(commit_lsn));
  MR_ASSIGN(position.last.ordinal, value.Int("ordinal"));
  MR_ASSIGN(const std::string resume_lsn, value.String("resume_lsn"));
  MR_ASSIGN(position.resume_lsn, ParseLsn(resume_lsn));
  MR_ASSIGN(position.commit_time, value.Int("commit_time"));
  return position;
}

}  // namespace millrace
