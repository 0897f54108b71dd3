#include "model/snapshot_range.h"

#include <algorithm>
#include <limits>
#include <tuple>

namespace millrace {
namespace {

auto Whose(const SnapshotRange& range) {
  return std::tie(range.relation_oid, range.file_node, range.point);
}
int64_t End(const SnapshotRange& range) {
  return range.end_block < 0 ? std::numeric_limits<int64_t>::max() : range.end_block;
}

}  // namespace

void AddRange(std::vector<SnapshotRange>& ranges, SnapshotRange more) {
  if (more.end_block == 0) {
    std::erase_if(ranges, [&more](const SnapshotRange& range) {
      return range.relation_oid == more.relation_oid && range.point < more.point;
    });
    return;
  }
  const auto touches = [&more](const SnapshotRange& range) {
    return Whose(range) == Whose(more) && range.first_block <= End(more) &&
           more.first_block <= End(range);
  };
  for (const SnapshotRange& range : ranges) {
    if (!touches(range)) continue;
    more.first_block = std::min(more.first_block, range.first_block);
    if (End(range) > End(more)) more.end_block = range.end_block;
  }
  std::erase_if(ranges, touches);
  const auto after = std::find_if(ranges.begin(), ranges.end(), [&](const SnapshotRange& range) {
    return std::make_tuple(Whose(more), more.first_block) <
           std::make_tuple(Whose(range), range.first_block);
  });
  ranges.insert(after, more);
}

json::Value ToJson(const SnapshotRange& range) {
  json::Value v;
  v.Set("relation", static_cast<int64_t>(range.relation_oid));
  v.Set("file_node", static_cast<int64_t>(range.file_node));
  v.Set("point", FormatLsn(range.point));
  v.Set("first_block", range.first_block);
  v.Set("end_block", range.end_block);
  return v;
}

Result<SnapshotRange> SnapshotRangeFromJson(const json::Value& value) {
  SnapshotRange range;
  MR_ASSIGN(const int64_t relation, value.Int("relation"));
  MR_ASSIGN(const int64_t file_node, value.Int("file_node"));
  MR_ASSIGN(const std::string point, value.String("point"));
  MR_ASSIGN(range.first_block, value.Int("first_block"));
  MR_ASSIGN(range.end_block, value.Int("end_block"));
  range.relation_oid = static_cast<uint32_t>(relation);
  range.file_node = static_cast<uint32_t>(file_node);
  MR_ASSIGN(range.point, ParseLsn(point));
  return range;
}

}  // namespace millrace
