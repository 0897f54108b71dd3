#include "pipeline/silver/upkeep.h"

#include <algorithm>
#include <numeric>

namespace millrace::silver {
namespace {

constexpr int64_t kMaxFoldBytes = 64 << 20;  // in one merge, so that none takes long

}  // namespace

FileFate FateOf(int64_t file_bytes, int64_t rows, int64_t dead, const UpkeepOptions& options) {
  if (dead >= rows) return FileFate::kRemove;
  // A fifth: each closed row pays for at most five that are copied, and readers skip at most a
  // fifth.
  if (file_bytes <= options.tiny_file_bytes || dead * 5 >= rows) return FileFate::kRewrite;
  return FileFate::kDelta;
}

std::vector<size_t> ChooseFold(const std::vector<int64_t>& file_bytes,
                               const UpkeepOptions& options) {
  std::vector<size_t> order(file_bytes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return file_bytes[a] < file_bytes[b]; });
  const int64_t small = options.small_file_bytes;
  for (const int64_t tier : {small / 64, small / 8, small}) {
    const auto below = static_cast<size_t>(std::count_if(
        file_bytes.begin(), file_bytes.end(), [&](int64_t bytes) { return bytes < tier; }));
    if (below <= options.max_small_files) continue;
    std::vector<size_t> chosen;
    int64_t bytes = 0;
    for (size_t i = 0;
         i < below && (chosen.size() < 2 || bytes + file_bytes[order[i]] <= kMaxFoldBytes); ++i) {
      bytes += file_bytes[order[i]];
      chosen.push_back(order[i]);
    }
    std::sort(chosen.begin(), chosen.end());
    return chosen;
  }
  return {};
}

}  // namespace millrace::silver
