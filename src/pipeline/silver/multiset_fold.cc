#include "pipeline/silver/multiset_fold.h"

#include <algorithm>

#include "base/format.h"

namespace millrace::silver {
namespace {

class MultisetFolder {
 public:
  MultisetFolder(const std::vector<OpenInstance>& open, const std::vector<Contents>& epochs,
                 EventPosition covered)
      : open_(open), epochs_(epochs), covered_(covered) {
    for (size_t i = 0; i < open.size(); ++i)
      live_.push_back({.in_table = true, .at = i, .row = open[i].row});
  }

  Result<MultisetResult> Run(const std::vector<Event>& events) {
    for (size_t begin = 0; begin < events.size();) {
      size_t end = begin + 1;
      while (end < events.size() &&
             events[end].position.commit_lsn == events[begin].position.commit_lsn &&
             events[end].snapshot == events[begin].snapshot) {
        ++end;
      }
      for (size_t i = begin; i < end; ++i) {
        if (events[i].position <= covered_) {
          ++result_.replays;
        } else {
          if (events[i].epoch != epoch_) Enter(events[i].epoch);
          MR_TRY(Take(events[i]));
        }
      }
      Settle();
      begin = end;
    }
    return std::move(result_);
  }

 private:
  // An open row: the table's, or a version of this batch.
  struct Live {
    bool in_table = false;
    size_t at = 0;  // into open_ or result_.versions
    int64_t row = -1;
    bool gone = false;
  };
  // A row on its way through a transaction.
  struct Pending {
    int64_t live = -1;  // what it was at the start, into live_; -1: inserted here
    int64_t row = -1;   // what it is now; -1: deleted
    Event last;
  };
  // Candidates for a content; those before `head` are used up.
  struct Queue {
    std::vector<size_t> items;
    size_t head = 0;
  };

  size_t ContentOf(int64_t row) const {
    return static_cast<size_t>(
        epochs_[static_cast<size_t>(epoch_)].of_row[static_cast<size_t>(row)]);
  }

  // The table has other columns from here on: rows are told apart by those.
  void Enter(int32_t epoch) {
    epoch_ = epoch;
    const auto count = static_cast<size_t>(epochs_[static_cast<size_t>(epoch)].count);
    live_of_.assign(count, {});
    pending_of_.assign(count, {});
    std::vector<bool> taken(live_.size(), false);
    for (size_t i = 0; i < pending_.size(); ++i) {
      if (pending_[i].live >= 0) taken[static_cast<size_t>(pending_[i].live)] = true;
      if (pending_[i].row >= 0) pending_of_[ContentOf(pending_[i].row)].push_back(i);
    }
    for (size_t i = 0; i < live_.size(); ++i) {
      if (!live_[i].gone && !taken[i]) live_of_[ContentOf(live_[i].row)].items.push_back(i);
    }
  }

  // The pending row with the contents of `row`, made from an open one if none is.
  Result<size_t> TakeOut(int64_t row, const Event& event) {
    const size_t content = ContentOf(row);
    std::vector<size_t>& same = pending_of_[content];
    if (!same.empty()) {
      const size_t taken = same.back();
      same.pop_back();
      return taken;
    }
    Queue& queue = live_of_[content];
    if (queue.head == queue.items.size()) {
      return Fail(ErrorKind::kCorrupt, "the event at {} takes away a row that Silver does not hold",
                  FormatLsn(event.position.commit_lsn));
    }
    const size_t live = queue.items[queue.head++];
    pending_.push_back({.live = static_cast<int64_t>(live), .row = live_[live].row, .last = event});
    return pending_.size() - 1;
  }

  void Become(size_t i, int64_t row, const Event& event) {
    pending_[i].row = row;
    pending_[i].last = event;
    if (row >= 0) pending_of_[ContentOf(row)].push_back(i);
  }

  Status Take(const Event& event) {
    if (event.op == 't') {
      for (Pending& pending : pending_) {
        if (pending.row < 0) continue;
        pending.row = -1;
        pending.last = event;
      }
      for (std::vector<size_t>& same : pending_of_) same.clear();
      for (Queue& queue : live_of_) {
        for (; queue.head < queue.items.size(); ++queue.head) {
          pending_.push_back(
              {.live = static_cast<int64_t>(queue.items[queue.head]), .row = -1, .last = event});
        }
      }
      return {};
    }
    if (event.op == 'd' || event.op == 'u') {
      MR_ASSIGN(const size_t taken, TakeOut(event.before, event));
      Become(taken, event.row, event);
      return {};
    }
    pending_.push_back({.live = -1, .row = event.row, .last = event});
    pending_of_[ContentOf(event.row)].push_back(pending_.size() - 1);
    return {};
  }

  // A row deleted and an equal one inserted are no change.
  void Cancel() {
    for (Pending& gone : pending_) {
      if (gone.live < 0 || gone.row >= 0) continue;
      const int64_t was = live_[static_cast<size_t>(gone.live)].row;
      std::vector<size_t>& same = pending_of_[ContentOf(was)];
      const auto inserted =
          std::find_if(same.begin(), same.end(), [&](size_t i) { return pending_[i].live < 0; });
      if (inserted == same.end()) continue;
      pending_[*inserted].row = -1;
      same.erase(inserted);
      gone.row = was;
    }
  }

  void Settle() {
    Cancel();
    for (const Pending& pending : pending_) {
      if (pending.row >= 0) pending_of_[ContentOf(pending.row)].clear();
      if (pending.live >= 0) {
        const auto i = static_cast<size_t>(pending.live);
        if (pending.row >= 0 && ContentOf(pending.row) == ContentOf(live_[i].row)) {
          ++result_.unchanged;
          live_of_[ContentOf(live_[i].row)].items.push_back(i);
          continue;
        }
        Close(live_[i], pending);
      }
      if (pending.row >= 0) Open(pending);
    }
    pending_.clear();
  }

  void Open(const Pending& pending) {
    int32_t before = 0;
    Micros at = pending.last.time;
    if (pending.live >= 0) {
      const Live& was = live_[static_cast<size_t>(pending.live)];
      before = was.in_table ? open_[was.at].version : result_.versions[was.at].version;
      at = EndOf(was, pending);
    }
    live_.push_back(
        {.in_table = false, .at = result_.versions.size(), .row = pending.row, .gone = false});
    live_of_[ContentOf(pending.row)].items.push_back(live_.size() - 1);
    const char op = pending.last.op == 'r' ? 'r' : pending.live >= 0 ? 'u' : 'c';
    result_.versions.push_back({.row = pending.row,
                                .key = -1,
                                .version = before + 1,
                                .valid_from = at,
                                .valid_to = 0,
                                .from = pending.last.position,
                                .to = {},
                                .op = op,
                                .closed = false,
                                .deleted = false});
  }

  // Commit times may run backwards: no version ends before it began.
  Micros EndOf(const Live& was, const Pending& pending) const {
    return std::max(pending.last.time,
                    was.in_table ? open_[was.at].valid_from : result_.versions[was.at].valid_from);
  }

  void Close(Live& was, const Pending& pending) {
    was.gone = true;
    const bool deleted = pending.row < 0;
    if (was.in_table) {
      result_.closings.push_back({.instance = was.at,
                                  .valid_to = EndOf(was, pending),
                                  .to = pending.last.position,
                                  .deleted = deleted});
      return;
    }
    Version& closed = result_.versions[was.at];
    closed.closed = true;
    closed.valid_to = EndOf(was, pending);
    closed.to = pending.last.position;
    closed.deleted = deleted;
  }

  const std::vector<OpenInstance>& open_;
  const std::vector<Contents>& epochs_;
  const EventPosition covered_;
  int32_t epoch_ = -1;
  std::vector<Live> live_;
  std::vector<Queue> live_of_;                   // per content: open rows not pending, oldest first
  std::vector<std::vector<size_t>> pending_of_;  // per content: pending rows with it
  std::vector<Pending> pending_;
  MultisetResult result_;
};

}  // namespace

Result<MultisetResult> FoldMultiset(const std::vector<Event>& events,
                                    const std::vector<OpenInstance>& open,
                                    const std::vector<Contents>& epochs, EventPosition covered) {
  return MultisetFolder(open, epochs, covered).Run(events);
}

}  // namespace millrace::silver
