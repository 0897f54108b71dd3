"""Silver, read from outside, against the source and against the oracle's history: as PostgreSQL text, row by row."""

from __future__ import annotations

import collections
import dataclasses
import re

import pyarrow as pa

from harness import pgtext
from harness.audit import Audit, Column
from harness.lake import Lake
from harness.postgres import Database
from harness.scd2 import Base, TableHistory, fold

ENGINES = ("pyiceberg", "duckdb")


class Mismatch(AssertionError):
    """Silver does not say what it should."""


@dataclasses.dataclass(frozen=True)
class Table:
    """A source table under test; names as SQL writes them. `identity`: see scd2.fold."""
    name: str
    identity: str = "key"

    @property
    def silver(self) -> str:
        schema, name = _split(self.name)
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name if schema == "public" else f"{schema}_{name}")
        return f"silver.{plain}"


def tables_of(audit: Audit, schemas: tuple[str, ...] = ("public",)) -> list[Table]:
    tables = [Table(name, identity) for name, identity in audit.identities().items()]
    return [t for t in tables if _split(t.name)[0] in schemas]


def _split(name: str) -> tuple[str, str]:
    parts = [quoted.replace('""', '"') or bare for quoted, bare in re.findall(r'"((?:[^"]|"")+)"|([^."]+)', name)]
    return (parts[0], parts[1]) if len(parts) == 2 else ("public", parts[0])


class ReadTwice(Mismatch):
    """A table's snapshot rows are of more than one moment: it was read again, after a kill for example."""


def snapshot_base(lake: Lake, table: Table, relations: set[int]) -> Base:
    """Where the snapshot of a table stood: as the rows that it read say, which must agree, or else the commit that ended the initial one.
    Of a table that was not read whole when the initial snapshot was broken off, the commit that ended it."""
    commits = lake.commits()
    ended = next((c["position"] for c in commits if c.get("snapshot") == "done"), None)
    parts = [(part, c["position"]) for c in commits for part in c.get("snapshot_ranges", ())]
    seen: set[tuple[int, int]] = set()
    if table.silver in lake.tables():
        scan = lake.catalog().load_table(table.silver).scan(row_filter="_op = 'r'", selected_fields=("_from_lsn", "valid_from", "_op"))
        rows = scan.to_arrow()
        seen = set(zip(map(_lsn, rows["_from_lsn"].to_pylist()), _micros(rows["valid_from"])))
    if parts and ended and _lsn(ended["commit_lsn"]) >= (first := min(_lsn(p["point"]) for p, _ in parts)):
        whole = all(_covered([p for p, _ in parts if p["relation"] == r and _lsn(p["point"]) == first]) for r in relations)
        if whole and not seen:
            return Base(first - 1, parts[0][1]["commit_time"])
        if not whole and (not seen or min(seen)[0] <= _lsn(ended["commit_lsn"])):
            return Base(_lsn(ended["commit_lsn"]), ended["commit_time"], resumed=True)
    if seen:
        if len(seen) > 1:
            raise ReadTwice(f"{table.silver} has snapshot rows of more than one position: {sorted(seen)[:5]}")
        return Base(*seen.pop())
    return Base(_lsn(ended["commit_lsn"]), ended["commit_time"]) if ended else Base()


def _covered(parts: list[dict]) -> bool:
    """Whether the parts of one relation are all of it."""
    reached = 0
    for first, end in sorted((p["first_block"], p["end_block"]) for p in parts):
        if first > reached:
            return False
        reached = float("inf") if end < 0 else max(reached, end)
    return reached == float("inf")


def check(audit: Audit, lake: Lake, tables: list[Table], engines: tuple[str, ...] = ENGINES) -> int:
    """Compares every row of every table with the oracle, and the current rows with the source. Returns how many rows were compared."""
    transactions = list(audit.transactions())
    compared = 0
    for table in tables:
        base = snapshot_base(lake, table, audit.heaps(table.name))
        history = fold(transactions, audit.relation(table.name), base, identity=table.identity)
        if not history.versions and table.silver not in lake.tables():
            continue  # nothing ever came of it
        for engine in engines:
            try:
                rows = lake.read(table.silver, engine)
                compare_history(rows, history, base)
                if table.identity != "insert":
                    compare_current(rows, history.columns, audit.database, table.name)
            except Mismatch as problem:
                raise Mismatch(f"{table.silver} as {engine} reads it, source table {table.name}: {problem}") from None
            compared += rows.num_rows
        if table.identity != "insert":
            check_oracle(history, audit.database, table.name)
    return compared


def check_or_read_again(audit: Audit, lake: Lake, table: Table) -> int:
    """As check; of a table that was read again in mid-stream (a new one, or one whose definition changed, when processes died) the state
    alone, for the changes in between are in no stream."""
    try:
        return check(audit, lake, [table])
    except Mismatch:
        initial = next((_lsn(c["position"]["commit_lsn"]) for c in lake.commits() if c.get("snapshot") == "done"), 0)
        read = lake.catalog().load_table(table.silver).scan(row_filter="_op = 'r'", selected_fields=("_from_lsn", "_op")).to_arrow()
        if not any(_lsn(lsn) > initial for lsn in read["_from_lsn"].to_pylist()):
            raise
        check_current(audit, lake, table)
        return 0


def check_oracle(history: TableHistory, database: Database, table: str) -> None:
    """The oracle's own current rows are the source's, or the oracle is wrong."""
    ours = collections.Counter(tuple(pgtext.canonical(v.row.get(c.attnum), c.type) for c in _streamed(history.columns))
                               for v in history.current())
    theirs = collections.Counter(source_rows(database, table, history.columns))
    _expect_equal(ours, theirs, _streamed(history.columns), "the oracle's current rows", "the source")


def source_rows(database: Database, table: str, columns: tuple[Column, ...]) -> list[tuple]:
    columns = _streamed(columns)
    names = ", ".join('"' + c.name.replace('"', '""') + '"' for c in columns)
    with database.connect() as c, c.execute("SET search_path = ''; SET quote_all_identifiers = off").copy(f"COPY (SELECT {names} FROM {table}) TO STDOUT") as copy:
        return [tuple(pgtext.canonical(v, c.type) for v, c in zip(row, columns)) for row in copy.rows()]


def compare_current(silver: pa.Table, columns: tuple[Column, ...], database: Database, table: str) -> None:
    values = silver_values(silver, columns)
    current = silver["is_current"].to_pylist()
    ours = collections.Counter(row for row, is_current in zip(values, current) if is_current)
    _expect_equal(ours, collections.Counter(source_rows(database, table, columns)), _streamed(columns), "Silver's current rows", "the source")


def check_current(audit: Audit, lake: Lake, table: Table) -> None:
    """The current rows alone, where the history cannot be whole: what the source no longer had when it was read again is in no stream."""
    relation = audit.relation(table.name)
    columns = [c for t in audit.transactions() for c in t.changes if c.relation == relation][-1].columns
    for engine in ENGINES:
        compare_current(lake.read(table.silver, engine), columns, audit.database, table.name)


def compare_history(silver: pa.Table, history: TableHistory, base: Base) -> None:
    columns = _streamed(history.columns)
    values = silver_values(silver, history.columns)
    facts = [_micros(silver["valid_from"]), [_lsn(v) for v in silver["_from_lsn"].to_pylist()],
             _micros(silver["valid_to"]), [_lsn(v) for v in silver["_to_lsn"].to_pylist()],
             silver["is_current"].to_pylist(), silver["is_deleted"].to_pylist(), silver["version"].to_pylist()]
    ours = [(row, *fact) for row, *fact in zip(values, *facts)]
    theirs = [(tuple(pgtext.canonical(v.row.get(c.attnum), c.type) for c in columns),
               v.valid_from, v.from_lsn, v.valid_to, v.to_lsn, v.valid_to is None, v.deleted, v.number) for v in history.versions]
    if base.resumed:
        ours, theirs = _since(ours, base), _since(theirs, base)
    names = ("valid_from", "_from_lsn", "valid_to", "_to_lsn", "is_current", "is_deleted", "version")

    def counted(rows: list[tuple], *parts: int) -> collections.Counter:
        return collections.Counter((*row[0], *(row[p] for p in parts)) for row in rows)

    if history.keyed:
        parts = (1, 2, 3, 4, 5, 6, 7)
        shown = [*columns, *(Column(0, names[p - 1], "", 0, False) for p in parts)]
        _expect_equal(counted(ours, *parts), counted(theirs, *parts), shown, "Silver's history", "the audit trigger's")
    else:
        # Without a key equal rows are alike, and which of them ended is nobody's to say; what each commit added and took away is.
        shown = [*columns, Column(0, "LSN", "", 0, False)]
        _check_times(ours, theirs)
        for title, sign in (("added", 1), ("taken away", -1)):
            _expect_equal(_steps(ours, sign), _steps(theirs, sign), shown, f"what commits have {title} by Silver", "by the audit trigger")
    _check_positions(silver)


def _check_times(ours: list[tuple], theirs: list[tuple]) -> None:
    """A version begins at its commit's time, or, when that is earlier than where the version before it began, at the end of that one."""
    commit_times = {from_lsn: valid_from for _, valid_from, from_lsn, *_ in theirs}
    ends = {(to_lsn, valid_to) for _, _, _, valid_to, to_lsn, *_ in ours}
    for _, valid_from, from_lsn, valid_to, to_lsn, *_ in ours:
        expected = commit_times.get(from_lsn, valid_from)  # an LSN that is not the oracle's shows in the rows
        late = valid_from > expected and (from_lsn, valid_from) in ends
        if not (valid_from == expected or late) or (valid_to is not None and valid_to < valid_from):
            raise Mismatch(f"a version of the commit at {from_lsn} is valid from {valid_from} to {valid_to}; the commit's time is {expected}")


def _since(rows: list[tuple], base: Base) -> list[tuple]:
    """The versions that were open at the base or came later; when the former began, and how many there were before, is left open. So are
    times before the base's, which is a little later than what it shows: they depend on when a version began."""
    since = []
    for values, valid_from, from_lsn, valid_to, to_lsn, is_current, is_deleted, _ in rows:
        if to_lsn is not None and to_lsn <= base.lsn:
            continue
        began = (base.time, None) if from_lsn <= base.lsn else (max(valid_from, base.time), from_lsn)
        ended = None if valid_to is None else max(valid_to, base.time)
        since.append((values, *began, ended, to_lsn, is_current, is_deleted, None))
    return since


def _steps(rows: list[tuple], sign: int) -> collections.Counter:
    """(values, LSN) -> by how many rows the commit at that LSN changed the number of rows of these values, in one direction."""
    net: collections.Counter = collections.Counter()
    for values, _, from_lsn, _, to_lsn, *_ in rows:
        net[(*values, from_lsn)] += 1
        if to_lsn is not None:
            net[(*values, to_lsn)] -= 1
    return collections.Counter({step: sign * count for step, count in net.items() if sign * count > 0})


def _check_positions(silver: pa.Table) -> None:
    for row in silver.select(["_from_lsn", "_from_ord", "_to_lsn", "_to_ord", "is_current", "_op"]).to_pylist():
        start = (_lsn(row["_from_lsn"]), row["_from_ord"])
        end = None if row["_to_lsn"] is None else (_lsn(row["_to_lsn"]), row["_to_ord"])
        if (end is None) != row["is_current"] or (end is not None and not start < end) or row["_op"] not in tuple("rcud"):
            raise Mismatch(f"positions do not order: {row}")


def silver_values(silver: pa.Table, columns: tuple[Column, ...]) -> list[tuple]:
    texts = []
    for column in _streamed(columns):
        if column.name not in silver.column_names:
            # PostgreSQL says nothing of a new column before the first row that is written under it: until then it may be
            # absent, which is NULL to a reader. A value that the source has there still makes a difference below.
            texts.append([None] * silver.num_rows)
            continue
        text = pgtext.column_texts(silver[column.name], column.type)
        if (exact := f"{column.name}__pg") in silver.column_names:
            text = [t if x is None else x for t, x in zip(text, silver[exact].to_pylist())]
        texts.append([pgtext.canonical(t, column.type) for t in text])
    return list(zip(*texts)) if texts else [()] * silver.num_rows


def _streamed(columns: tuple[Column, ...]) -> list[Column]:
    """Generated columns are not in the stream before PostgreSQL 18, and virtual ones never."""
    return [c for c in columns if not c.generated]


def _micros(column: pa.ChunkedArray) -> list[int | None]:
    return column.cast(pa.timestamp("us", tz=column.type.tz)).cast(pa.int64()).to_pylist()


def _lsn(value: int | str | None) -> int | None:
    if isinstance(value, str):
        high, low = value.split("/")
        return int(high, 16) << 32 | int(low, 16)
    return value


def _expect_equal(ours: collections.Counter, theirs: collections.Counter, columns, we: str, they: str) -> None:
    if ours == theirs:
        return
    lines = [f"{we} ({ours.total()} rows) and {they} ({theirs.total()} rows) differ"]
    # Of a wide table the first column and those whose values differ tell enough.
    differ = [i for i in range(len(columns)) if _column(ours, i) != _column(theirs, i)]
    told = range(len(columns)) if len(columns) <= 24 or not differ else sorted({0, *differ[:8]})
    for title, rows in ((f"only in {we}", ours - theirs), (f"only in {they}", theirs - ours)):
        lines.append(f"{title}: {rows.total()}")
        for row, count in sorted(rows.items(), key=repr)[:6]:
            shown = ", ".join(f"{columns[i].name}={_short(row[i])}" for i in told)
            lines.append(f"  {count} x {shown}")
    raise Mismatch("\n".join(lines))


def _column(rows: collections.Counter, i: int) -> collections.Counter:
    values: collections.Counter = collections.Counter()
    for row, count in rows.items():
        values[row[i]] += count
    return values


def _short(value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:40]}…({len(text)})"
