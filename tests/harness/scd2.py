"""SCD Type 2 as DESIGN's rules say it, in the plainest form: the model that Silver is judged by.

It folds whole transactions: for each key it compares the state before with the state after, and nothing in between exists. Slow and
obvious on purpose.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable

from harness.audit import Change, Column, Transaction

Row = dict[int, "str | None"]  # attnum -> PostgreSQL's text


@dataclasses.dataclass
class Version:
    key: tuple
    number: int
    row: Row
    valid_from: int
    from_lsn: int
    snapshot: bool = False
    valid_to: int | None = None
    to_lsn: int | None = None
    deleted: bool = False


@dataclasses.dataclass
class Base:
    """The initial snapshot: what committed before `lsn` is not history but one first version, valid from `time`."""
    lsn: int = 0
    time: int = 0
    resumed: bool = False   # the snapshot was broken off: what Silver has of the time before `lsn` is not all of it


@dataclasses.dataclass
class TableHistory:
    columns: tuple[Column, ...]     # as they are at the end
    ever: dict[int, Column]         # every column there ever was, by attnum, under its last name
    versions: list[Version]
    keyed: bool

    def current(self) -> list[Version]:
        return [v for v in self.versions if v.valid_to is None]


def fold(transactions: Iterable[Transaction], relation: int, base: Base, *, identity: str) -> TableHistory:
    """The history of one table. `identity` is how Silver can know its rows: 'key', 'full' (no key: equal rows are alike), or
    'insert' (no key and no usable replica identity: only inserts and TRUNCATE reach Silver)."""
    table = _Table(identity)
    snapshot_taken = base.lsn == 0
    for transaction in transactions:
        if not snapshot_taken and transaction.commit_lsn >= base.lsn:
            table.become_snapshot(base)
            snapshot_taken = True
        changes = [c for c in transaction.changes if c.relation == relation]
        if changes:
            table.apply(transaction, changes, everything=not snapshot_taken)
    if not snapshot_taken:
        table.become_snapshot(base)
    return TableHistory(table.columns, table.ever, table.versions, identity == "key")


class _Table:
    def __init__(self, identity: str):
        self.identity = identity
        self.columns: tuple[Column, ...] = ()
        self.ever: dict[int, Column] = {}
        self.versions: list[Version] = []
        self.open: dict[tuple, list[Version]] = collections.defaultdict(list)  # key -> its open versions (at most one when keyed)
        self.numbers: dict[tuple, int] = {}
        self.last: dict[tuple, Version] = {}   # the newest version of each key

    def shape(self, change: Change) -> None:
        self.columns = change.columns
        self.ever.update({c.attnum: c for c in change.columns})

    def fill(self, after: dict[tuple, list[Row]]) -> None:
        """Rows that are there when a column with a default is added show the default from then on; that is no change of theirs."""
        missing = {c.attnum: c.missing for c in self.columns if c.missing is not None}
        for version in (v for versions in self.open.values() for v in versions):
            version.row = missing | version.row
        for rows in after.values():
            rows[:] = [missing | row for row in rows]

    def key(self, row: Row) -> tuple:
        if self.identity != "key":
            return tuple(sorted(row.items()))
        return tuple(row[c.attnum] for c in sorted((c for c in self.columns if c.key), key=lambda c: c.key))

    def live(self, row: Row) -> Row:
        """The row in the columns that exist now; a column added after the row was written reads as null."""
        return {c.attnum: row.get(c.attnum) for c in self.columns if not c.generated}

    def stored(self, row: Row) -> Row:
        """As Silver keeps it: dropped columns are null in what is written after the drop, so that a row's first change then is one."""
        return {c.attnum: row.get(c.attnum) for c in self.ever.values() if not c.generated}

    def settled(self, row: Row) -> tuple:
        return _frozen(self.stored(row) if self.identity == "key" else self.live(row))

    def apply(self, transaction: Transaction, changes: list[Change], everything: bool) -> None:
        """`everything`: the snapshot will read the table, so updates and deletes count even where the stream has none of them."""
        after: dict[tuple, list[Row]] = {}

        def touch(key: tuple) -> list[Row]:
            if key not in after:
                after[key] = [v.row if self.identity == "key" else self.live(v.row) for v in self.open[key]]
            return after[key]

        inserts_only = self.identity == "insert" and not everything
        for change in changes:
            if change.op == "S":
                self.shape(change)
                self.fill(after)
                if self.identity != "key":
                    assert not after, "DDL after changes in one transaction: not modelled for tables without a key"
                    self._rekey()
                continue
            if change.op == "T":
                for key in [k for k, versions in self.open.items() if versions]:
                    touch(key).clear()
                for rows in after.values():
                    rows.clear()
                continue
            if change.op in "UD" and not inserts_only:
                old = self.live(change.old)
                rows = touch(self.key(old))
                if self.identity == "key":
                    rows.clear()
                else:
                    rows.remove(old)
            if change.op == "I" or change.op == "U" and not inserts_only:
                new = self.live(change.new)
                touch(self.key(new)).append(new)

        for key, rows in after.items():
            self.settle(transaction, key, rows)

    def settle(self, transaction: Transaction, key: tuple, rows: list[Row]) -> None:
        # Both sides in the shape that the table has at the end of the transaction.
        before = collections.Counter(self.settled(v.row) for v in self.open[key])
        wanted = collections.Counter(self.settled(r) for r in rows)
        if wanted == before:
            return
        gone, come = before - wanted, wanted - before
        for frozen, count in gone.items():
            for _ in range(count):
                version = next(v for v in self.open[key] if self.settled(v.row) == frozen)
                self.open[key].remove(version)
                version.valid_to = max(transaction.commit_time, version.valid_from)
                version.to_lsn = transaction.commit_lsn
                version.deleted = not (self.identity == "key" and come)
        for frozen, count in come.items():
            for _ in range(count):
                previous = self.numbers.get(key, 0)
                started = transaction.commit_time
                if self.identity == "key" and previous:
                    started = max(started, self.last[key].valid_to)  # no earlier than the one before began, nor than it ended
                version = Version(key, previous + 1, dict(frozen), started, transaction.commit_lsn)
                self.numbers[key], self.last[key] = version.number, version
                self.versions.append(version)
                self.open[key].append(version)

    def become_snapshot(self, base: Base) -> None:
        """What is open now is what the snapshot read; what came before is no history of Silver's."""
        rows = [(v.key, self.live(v.row)) for versions in self.open.values() for v in versions]
        self.versions, self.open, self.numbers, self.last = [], collections.defaultdict(list), {}, {}
        for key, row in rows:
            version = Version(key, 1, row, base.time, base.lsn, snapshot=True)
            self.numbers[key], self.last[key] = 1, version
            self.versions.append(version)
            self.open[key].append(version)

    def _rekey(self) -> None:
        """Without a key rows are known by their values, and those have just taken another shape."""
        versions = [v for group in self.open.values() for v in group]
        self.open = collections.defaultdict(list)
        for v in versions:
            v.key = self.key(self.live(v.row))
            self.open[v.key].append(v)


def _frozen(row: Row) -> tuple:
    return tuple(sorted(row.items()))
