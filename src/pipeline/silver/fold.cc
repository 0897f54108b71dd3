#include "pipeline/silver/fold.h"

#include <algorithm>

#include "base/format.h"

namespace millrace::silver {
namespace {

bool Before(const Event& a, const Event& b) { return a.position < b.position; }

class Folder {
 public:
  Folder(const std::vector<KeyState>& keys, const FoldOptions& options, FoldRows& rows)
      : options_(options), rows_(rows) {
    keys_.resize(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      keys_[i].open_row = keys[i].row;
      keys_[i].departed_row = keys[i].row;
      keys_[i].version = keys[i].version;
      keys_[i].floor = keys[i].floor;
      keys_[i].fence = keys[i].fence;
    }
  }

  Result<FoldResult> Run(const std::vector<Event>& events) {
    for (size_t begin = 0; begin < events.size();) {
      size_t end = begin + 1;
      while (end < events.size() && SameTransaction(events[begin], events[end])) ++end;
      for (size_t i = begin; i < end; ++i) MR_TRY(Take(events[i]));
      for (const int32_t key : touched_) MR_TRY(Settle(key));
      touched_.clear();
      begin = end;
    }
    return std::move(result_);
  }

 private:
  // A key within and between transactions. The row that a transaction leaves is `row`; `open_row`
  // is what it found.
  struct Key {
    int64_t open_row = -1;      // committed state: the open version's row
    int64_t open_version = -1;  // its place in result_.versions; -1: it is the table's
    int32_t version = 0;
    Micros floor = 0;
    EventPosition fence;
    // Within a transaction:
    bool touched = false;
    int64_t row = -1;
    int64_t doubled = 0;  // rows that a deferred constraint lets share this key for a while
    int64_t older_row = -1;
    int64_t departed_row =
        -1;  // what the last delete took away: a key change takes unsent values from there
    bool incomplete = false;  // `row` lacks values that nothing gave it
    EventPosition position;
    Micros time = 0;
    char op = 0;  // of the last event
  };

  static bool SameTransaction(const Event& a, const Event& b) {
    return a.position.commit_lsn == b.position.commit_lsn && a.snapshot == b.snapshot;
  }
  Key& At(int32_t key) { return keys_[static_cast<size_t>(key)]; }

  void Touch(int32_t i, const Event& event) {
    Key& key = At(i);
    if (!key.touched) {
      key.touched = true;
      key.row = key.open_row;
      key.doubled = 0;
      key.incomplete = false;
      touched_.push_back(i);
    }
    key.position = event.position;
    key.time = event.time;
    key.op = event.op;
    key.fence = event.position;
  }

  // Replays, and the same event twice in one batch. Two halves of a key change that is none (1.0
  // to 1.00) differ in op.
  static bool IsReplay(const Key& key, const Event& event) {
    if (event.position > key.fence) return false;
    return !(event.position == key.fence && key.op != 0 && key.op != event.op);
  }

  Status Take(const Event& event) {
    if (event.op == 't') {
      for (int32_t i = 0; i < static_cast<int32_t>(keys_.size()); ++i) {
        Key& key = At(i);
        const bool present = key.touched ? key.row >= 0 : key.open_row >= 0;
        if (!present || event.position <= key.fence) continue;
        Touch(i, event);
        key.row = -1;
        key.doubled = 0;
      }
      return {};
    }
    Key& key = At(event.key);
    if (IsReplay(key, event)) {
      ++result_.replays;
      return {};
    }
    Touch(event.key, event);
    if (event.op == 'd') {
      // Of two rows that share the key for a while, the one that was here first goes.
      key.departed_row = key.doubled > 0 ? key.older_row : key.row;
      if (key.doubled > 0) {
        --key.doubled;
      } else {
        key.row = -1;
        key.incomplete = false;
      }
      return {};
    }
    bool incomplete = false;
    if (event.missing >= 0) {
      const int64_t from = event.old_key >= 0 ? At(event.old_key).departed_row
                           : event.op == 'u'  ? key.row
                                              : -1;
      incomplete = from < 0 || (event.old_key < 0 && key.incomplete);
      if (!incomplete) rows_.Inherit(event.row, event.missing, from);
    }
    if (event.op == 'c' && key.row >= 0) {
      key.older_row = key.row;
      ++key.doubled;
    }
    key.row = event.row;
    key.incomplete = incomplete;
    return {};
  }

  // The end of a transaction: at most one version per key comes of it.
  Status Settle(int32_t i) {
    Key& key = At(i);
    key.touched = false;
    const bool was = key.open_row >= 0, is = key.row >= 0;
    if (!was && !is) return {};
    if (is && key.incomplete) {
      return Fail(ErrorKind::kUnsupported,
                  "the event at {} leaves out an unchanged value, and Silver has no earlier "
                  "version of the row to take it from",
                  FormatLsn(key.position.commit_lsn));
    }
    if (was && is && key.row != key.open_row && rows_.Equal(key.open_row, key.row) &&
        !(options_.keep_unchanged && key.op == 'u')) {
      ++result_.unchanged;
      return {};
    }
    if (was && is && key.row == key.open_row) return {};
    const Micros at = std::max(key.time, key.floor);
    if (was) Close(key, i, at, !is);
    key.floor = at;
    key.open_row = key.row;
    if (!is) return {};
    const char op = key.op == 'r' ? 'r' : was ? 'u' : 'c';
    key.open_version = static_cast<int64_t>(result_.versions.size());
    result_.versions.push_back({.row = key.row,
                                .key = i,
                                .version = ++key.version,
                                .valid_from = at,
                                .valid_to = 0,
                                .from = key.position,
                                .to = {},
                                .op = op,
                                .closed = false,
                                .deleted = false});
    return {};
  }

  void Close(Key& key, int32_t i, Micros at, bool deleted) {
    if (key.open_version < 0) {
      result_.closings.push_back(
          {.key = i, .valid_to = at, .to = key.position, .deleted = deleted});
    } else {
      Version& version = result_.versions[static_cast<size_t>(key.open_version)];
      version.closed = true;
      version.valid_to = at;
      version.to = key.position;
      version.deleted = deleted;
    }
    key.open_version = -1;
  }

  const FoldOptions& options_;
  FoldRows& rows_;
  std::vector<Key> keys_;
  std::vector<int32_t> touched_;
  FoldResult result_;
};

}  // namespace

void SortEvents(std::vector<Event>& events) {
  if (!std::is_sorted(events.begin(), events.end(), Before))
    std::stable_sort(events.begin(), events.end(), Before);
}

Result<FoldResult> Fold(const std::vector<Event>& events, const std::vector<KeyState>& keys,
                        const FoldOptions& options, FoldRows& rows) {
  return Folder(keys, options, rows).Run(events);
}

}  // namespace millrace::silver
