#include "pipeline/silver/multiset_fold.h"

#include <algorithm>

#include "base/format.h"

namespace millrace::silver {
namespace {

class MultisetFolder {
 public:
  MultisetFolder(const std::vector<std::vector<OpenInstance>>& open, EventPosition covered)
      : open_(open), covered_(covered) {
    live_.resize(open.size());
    pending_of_.resize(open.size());
    for (size_t c = 0; c < open.size(); ++c) {
      for (size_t i = 0; i < open[c].size(); ++i)
        live_[c].rows.push_back({.in_table = true, .at = i});
    }
  }

  Result<MultisetResult> Run(const std::vector<Event>& events) {
    for (size_t begin = 0; begin < events.size();) {
      size_t end = begin + 1;
      while (end < events.size() &&
             events[end].position.commit_lsn == events[begin].position.commit_lsn &&
             (events[end].op == 'r') == (events[begin].op == 'r')) {
        ++end;
      }
      for (size_t i = begin; i < end; ++i) {
        if (events[i].position <= covered_) {
          ++result_.replays;
        } else {
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
    bool in_table;
    size_t at;  // into open_[content] or result_.versions
  };
  struct Queue {
    std::vector<Live> rows;  // oldest first
    size_t head = 0;         // those before it are gone
    bool empty() const { return head == rows.size(); }
  };
  // A row on its way through a transaction.
  struct Pending {
    int32_t origin = -1;   // content at its start; -1: inserted here
    int32_t content = -1;  // content now; -1: deleted
    Live was{};            // what is closed if it changed
    Event last;
  };

  // The pending row with this content, made from an open one if none is.
  Result<size_t> TakeOut(int32_t content, const Event& event) {
    auto& same = pending_of_[static_cast<size_t>(content)];
    if (!same.empty()) {
      const size_t taken = same.back();
      same.pop_back();
      return taken;
    }
    auto& live = live_[static_cast<size_t>(content)];
    if (live.empty()) {
      return Fail(ErrorKind::kCorrupt, "the event at {} takes away a row that Silver does not hold",
                  FormatLsn(event.position.commit_lsn));
    }
    pending_.push_back(
        {.origin = content, .content = content, .was = live.rows[live.head++], .last = event});
    return pending_.size() - 1;
  }

  void Become(size_t i, int32_t content, const Event& event) {
    pending_[i].content = content;
    pending_[i].last = event;
    if (content >= 0) pending_of_[static_cast<size_t>(content)].push_back(i);
  }

  Status Take(const Event& event) {
    switch (event.op) {
      case 't':
        for (size_t c = 0; c < live_.size(); ++c) {
          while (!live_[c].empty() || !pending_of_[c].empty()) {
            MR_ASSIGN(const size_t taken, TakeOut(static_cast<int32_t>(c), event));
            Become(taken, -1, event);
          }
        }
        return {};
      case 'd': {
        MR_ASSIGN(const size_t taken, TakeOut(event.old_key, event));
        Become(taken, -1, event);
        return {};
      }
      case 'u': {
        MR_ASSIGN(const size_t taken, TakeOut(event.old_key, event));
        Become(taken, event.key, event);
        return {};
      }
      default:
        pending_.push_back({.origin = -1, .content = event.key, .was = {}, .last = event});
        pending_of_[static_cast<size_t>(event.key)].push_back(pending_.size() - 1);
        return {};
    }
  }

  // A row deleted and an equal one inserted are no change.
  void Cancel() {
    for (Pending& gone : pending_) {
      if (gone.origin < 0 || gone.content >= 0) continue;
      for (const size_t i : pending_of_[static_cast<size_t>(gone.origin)]) {
        if (pending_[i].origin >= 0 || pending_[i].content < 0) continue;
        pending_[i].content = -1;
        gone.content = gone.origin;
        break;
      }
    }
  }

  void Settle() {
    Cancel();
    for (const Pending& row : pending_) {
      if (row.content >= 0) pending_of_[static_cast<size_t>(row.content)].clear();
      if (row.origin >= 0) pending_of_[static_cast<size_t>(row.origin)].clear();
      if (row.origin < 0 && row.content < 0) continue;
      if (row.origin == row.content) {
        ++result_.unchanged;
        Queue& queue = live_[static_cast<size_t>(row.origin)];
        queue.rows[--queue.head] = row.was;
        continue;
      }
      Micros at = row.last.time;
      int32_t version = 0;
      if (row.origin >= 0) at = Close(row, &version);
      if (row.content < 0) continue;
      live_[static_cast<size_t>(row.content)].rows.push_back(
          {.in_table = false, .at = result_.versions.size()});
      result_.versions.push_back({.row = row.last.row,
                                  .key = row.content,
                                  .version = version + 1,
                                  .valid_from = at,
                                  .valid_to = 0,
                                  .from = row.last.position,
                                  .to = {},
                                  .op = row.last.op == 'r' ? 'r'
                                        : row.origin >= 0  ? 'u'
                                                           : 'c',
                                  .closed = false,
                                  .deleted = false});
    }
    pending_.clear();
  }

  // Closes what the row was; its end, and its version.
  Micros Close(const Pending& row, int32_t* version) {
    const bool deleted = row.content < 0;
    if (row.was.in_table) {
      const OpenInstance& instance = open_[static_cast<size_t>(row.origin)][row.was.at];
      const Micros at = std::max(row.last.time, instance.valid_from);
      *version = instance.version;
      result_.closings.push_back({.content = row.origin,
                                  .instance = row.was.at,
                                  .valid_to = at,
                                  .to = row.last.position,
                                  .deleted = deleted});
      return at;
    }
    Version& closed = result_.versions[row.was.at];
    closed.closed = true;
    closed.valid_to = std::max(row.last.time, closed.valid_from);
    closed.to = row.last.position;
    closed.deleted = deleted;
    *version = closed.version;
    return closed.valid_to;
  }

  const std::vector<std::vector<OpenInstance>>& open_;
  const EventPosition covered_;
  std::vector<Queue> live_;                      // per content
  std::vector<std::vector<size_t>> pending_of_;  // per content: pending rows with it
  std::vector<Pending> pending_;
  MultisetResult result_;
};

}  // namespace

Result<MultisetResult> FoldMultiset(const std::vector<Event>& events,
                                    const std::vector<std::vector<OpenInstance>>& open,
                                    EventPosition covered) {
  return MultisetFolder(open, covered).Run(events);
}

}  // namespace millrace::silver
