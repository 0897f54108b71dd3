#include "adapter/source_postgres/tables/reconcile.h"

#include <algorithm>
#include <limits>

#include "base/format.h"

namespace millrace::postgres {
namespace {

constexpr int64_t kNameMismatch = 1'000'000, kTypeMismatch = 1;
constexpr int64_t kImpossible = std::numeric_limits<int64_t>::max() / 2;

// The best way to reach a state, how many ways are as good, and how many there are at all (both
// counted up to two).
struct State {
  int64_t cost = kImpossible;
  int best = 0;
  int feasible = 0;

  void Offer(const State& from, int64_t step) {
    if (from.feasible == 0) return;
    feasible = std::min(2, feasible + from.feasible);
    if (from.cost + step < cost) {
      cost = from.cost + step;
      best = from.best;
    } else if (from.cost + step == cost) {
      best = std::min(2, best + from.best);
    }
  }
};

const SourceColumn* FindPrevious(const TableSchema* previous, int16_t attnum) {
  if (previous == nullptr) return nullptr;
  const auto found = std::find_if(previous->columns.begin(), previous->columns.end(),
                                  [attnum](const SourceColumn& c) { return c.attnum == attnum; });
  return found == previous->columns.end() ? nullptr : &*found;
}

// How ill the relation's column fits this attnum: its name may be the known version's or the
// catalog's.
int64_t Misfit(const RelationColumn& column, const LiveColumn& live, const SourceColumn* previous) {
  const bool live_name = !live.dropped && live.name == column.name;
  const bool previous_name = previous != nullptr && previous->name == column.name;
  if ((live_name && live.type_oid == column.type_oid) ||
      (previous_name && previous->type_oid == column.type_oid))
    return 0;
  return live_name || previous_name ? kTypeMismatch : kNameMismatch;
}

Error Ambiguous(const std::string& table, std::string_view why) {
  return Fail(ErrorKind::kUnsupported,
              "table {}: cannot tell which column is which after its definition changed ({}); take "
              "a new snapshot of the table",
              table, why);
}

// The table is gone: names are all there is. New ones come after the known ones, as PostgreSQL
// numbers them.
Result<std::vector<int16_t>> WithoutCatalog(const std::string& table, const TableSchema* previous,
                                            const std::vector<RelationColumn>& relation) {
  std::vector<int16_t> attnums;
  int16_t next = 1;
  for (const SourceColumn& column :
       previous == nullptr ? std::vector<SourceColumn>() : previous->columns) {
    next = std::max(next, static_cast<int16_t>(column.attnum + 1));
  }
  int16_t last = 0;
  for (const RelationColumn& column : relation) {
    int16_t attnum = next;
    for (const SourceColumn& known :
         previous == nullptr ? std::vector<SourceColumn>() : previous->columns) {
      if (known.name == column.name) attnum = known.attnum;
    }
    if (attnum <= last) return Ambiguous(table, "it was dropped meanwhile");
    if (attnum == next) ++next;
    attnums.push_back(last = attnum);
  }
  return attnums;
}

}  // namespace

std::vector<LiveColumn> WithoutLongGone(std::vector<LiveColumn> live, const TableSchema* previous,
                                        int16_t high_water) {
  if (previous == nullptr) return live;
  std::erase_if(live, [&](const LiveColumn& column) {
    return column.dropped && column.attnum <= high_water &&
           FindPrevious(previous, column.attnum) == nullptr;
  });
  return live;
}

Result<std::vector<int16_t>> ReconcileColumns(const std::string& table, const TableSchema* previous,
                                              const std::vector<RelationColumn>& relation,
                                              const std::vector<LiveColumn>& live) {
  if (live.empty()) return WithoutCatalog(table, previous, relation);
  const size_t n = relation.size(), m = live.size();
  // states[i]: i columns of the relation have found their place among the catalog's first j. took[j
  // * (n + 1) + i]: the best way to there gave the i-th column the j-th attnum.
  std::vector<State> states(n + 1);
  states[0] = {.cost = 0, .best = 1, .feasible = 1};
  std::vector<bool> took(m * (n + 1), false);
  for (size_t j = 0; j < m; ++j) {
    const SourceColumn* known = FindPrevious(previous, live[j].attnum);
    const bool may_be_missing = live[j].dropped || live[j].generated;
    for (size_t i = n + 1; i-- > 0;) {  // downward: states[i - 1] is still that of j - 1
      State next;
      if (may_be_missing || i == n) next.Offer(states[i], 0);
      if (i > 0 && live[j].streamed) {
        const int64_t without = next.cost;
        next.Offer(states[i - 1], Misfit(relation[i - 1], live[j], known));
        took[j * (n + 1) + i] = next.cost < without;
      }
      states[i] = next;
    }
  }
  const State& end = states[n];
  if (end.feasible == 0)
    return Ambiguous(table, "the stream has columns that the catalog does not account for");
  const bool named = end.best == 1 && end.cost < kNameMismatch;
  if (end.feasible > 1 && !named)
    return Ambiguous(table, "columns were dropped and others added or renamed");

  std::vector<int16_t> attnums(n);
  for (size_t j = m, i = n; j-- > 0 && i > 0;) {
    if (took[j * (n + 1) + i]) attnums[--i] = live[j].attnum;
  }
  return attnums;
}

}  // namespace millrace::postgres
