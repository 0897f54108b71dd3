#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "pipeline/bronze/open_file.h"
#include "pipeline/bronze/options.h"

namespace millrace::bronze {

// Sorts records into files: one open file a topic, offsets without gaps. A file rolls when it is
// full, its schema or its hour changes, or memory is short. Not thread-safe.
class CommitBuilder {
 public:
  // Called with each file that is complete before the commit is.
  using Rolled = std::function<Status(ClosedFile)>;

  // `next_offsets` as the log has them; topics that it lacks begin at 0.
  CommitBuilder(ObjectStore& store, const Options& options, int64_t epoch,
                const std::map<std::string, int64_t>& next_offsets, Rolled rolled);

  // kInternal when a record does not lie within its batch.
  Status Add(const RecordBatch& batch);
  // Closes what is open, by topic and offset; rolled files are not among them.
  Result<std::vector<ClosedFile>> Close();

  // Files opened from now on hold only rows of the initial snapshot, or no longer so.
  void set_snapshot(bool snapshot) { snapshot_ = snapshot; }
  int64_t records() const { return records_; }  // since the last Close, rolled ones included
  int64_t bytes() const { return bytes_; }      // of lines

 private:
  struct Topic {
    std::string name;
    int64_t next_offset = 0;
    std::unique_ptr<OpenFile> file;
  };
  Topic& Find(const std::string& name);
  Status Open(Topic& topic, const StreamPtr& stream, int64_t timestamp_ms, bool anew);
  Status Roll(Topic& topic);
  Status RollLargest();
  bool MustRoll(const OpenFile& file, const StreamPtr& stream, int64_t timestamp_ms) const;

  ObjectStore* const store_;
  const Options options_;
  const int64_t epoch_;
  const Rolled rolled_;
  Workshop workshop_;
  std::unordered_map<std::string, Topic> topics_;
  std::vector<Topic*> of_stream_;  // of the batch at hand
  bool snapshot_ = false;
  int64_t records_ = 0;
  int64_t bytes_ = 0;
  int64_t pending_ = 0;  // bytes of lines in all files' buffers
};

}  // namespace millrace::bronze
