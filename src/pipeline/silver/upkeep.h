#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// Which files a merge writes anew, beside what it must. Pure.
namespace millrace::silver {

// What becomes of a current file in which the merge closes rows.
enum class FileFate {
  kDelta,    // stays, with one position delete file that holds all its dead rows
  kRewrite,  // its live rows move to a new file
  kRemove,   // no row is left
};
struct UpkeepOptions {
  int64_t small_file_bytes = 16 << 20;  // smaller ones are folded when they are many
  int64_t tiny_file_bytes = 256 << 10;  // rewritten when touched: a delete file would cost as much
  size_t max_small_files = 8;           // per tier of sizes
};

// `dead`: rows deleted before and by this merge together.
FileFate FateOf(int64_t file_bytes, int64_t rows, int64_t dead, const UpkeepOptions& options);

// Numbers of the files to fold into one, given the sizes of all files of a partition that may be
// folded: none while small files are few. Sizes are in tiers, so that a file is folded a few times
// in its life, however often merges come.
std::vector<size_t> ChooseFold(const std::vector<int64_t>& file_bytes,
                               const UpkeepOptions& options);

}  // namespace millrace::silver
