"""The oracle: what happened in the source, by an audit trigger, in commit order by a logical slot of the oracle's own."""

from __future__ import annotations

import dataclasses
import pathlib
import struct
from collections.abc import Iterator

from harness.postgres import Database

_SQL = (pathlib.Path(__file__).parent / "audit.sql").read_text()
_POSTGRES_EPOCH_US = 946_684_800_000_000


@dataclasses.dataclass(frozen=True)
class Column:
    attnum: int
    name: str
    type: str
    key: int          # 1-based place in the replica identity or primary key; 0: no part of it
    generated: bool
    missing: str | None = None  # what rows written before the column was added show in it


@dataclasses.dataclass(frozen=True)
class Change:
    relation: int
    op: str                          # I U D T, S: `columns` holds from here on
    old: dict[int, str | None] | None   # by attnum
    new: dict[int, str | None] | None
    columns: tuple[Column, ...]


@dataclasses.dataclass(frozen=True)
class Transaction:
    xid: int
    commit_lsn: int
    commit_time: int                 # microseconds since 1970
    changes: tuple[Change, ...]


class Audit:
    """Installs the notebook in an empty database; tables that are created from then on are watched."""

    def __init__(self, database: Database):
        self.database = database
        self.slot = f"audit_{database.name}"
        with database.connect() as c:
            c.execute(_SQL)
            c.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [self.slot])

    def commits(self) -> dict[int, tuple[int, int]]:
        """xid -> (LSN of the commit record, commit time in microseconds); in commit order."""
        result = {}
        with self.database.connect() as c:
            rows = c.execute("SELECT data FROM pg_logical_slot_peek_binary_changes(%s, NULL, NULL, 'proto_version', '1', "
                             "'publication_names', 'audit_commits')", [self.slot])
            for (data,) in rows:
                if data[:1] == b"B":
                    lsn, time, xid = struct.unpack(">QqI", data[1:21])
                    result[xid] = (lsn, time + _POSTGRES_EPOCH_US)
        return result

    def last_commit(self) -> int:
        """LSN of the newest commit that changed a watched row; 0 when there is none."""
        return max((t.commit_lsn for t in self.transactions() if any(c.op != "S" for c in t.changes)), default=0)

    def transactions(self) -> Iterator[Transaction]:
        """All audited transactions in commit order."""
        commits = self.commits()
        by_xid: dict[int, list[tuple]] = {xid: [] for xid in commits}
        for xid, *change in self.database.query("SELECT xid, relation, op::text, old_row, new_row FROM audit.log ORDER BY seq"):
            by_xid[xid].append(tuple(change))
        shapes: dict[int, tuple[Column, ...]] = {}
        for xid, rows in by_xid.items():
            changes = []
            for relation, op, old, new in rows:
                if op == "S":
                    shapes[relation] = tuple(sorted((Column(int(attnum), c["name"], c["type"], c["key"], c["generated"], c["missing"])
                                                     for attnum, c in new.items()), key=lambda c: c.attnum))
                    changes.append(Change(relation, op, None, None, shapes[relation]))
                    continue
                columns = shapes[relation]
                changes.append(Change(relation, op, _by_attnum(old, columns), _by_attnum(new, columns), columns))
            yield Transaction(xid, *commits[xid], tuple(changes))

    def identities(self) -> dict[str, str]:
        """Every watched table that there is, quoted as SQL needs it, and how its rows can be known: see scd2.fold."""
        return dict(self.database.query("""
            SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname),
                   CASE WHEN c.relreplident <> 'n' AND EXISTS (SELECT FROM jsonb_each(audit.shape(c.oid)) s WHERE s.value->>'key' <> '0') THEN 'key'
                        WHEN c.relreplident = 'f' THEN 'full' ELSE 'insert' END
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_trigger t ON t.tgrelid = c.oid
            WHERE t.tgname = 'audit_rows' AND NOT c.relispartition ORDER BY 1"""))

    def heaps(self, table: str) -> set[int]:
        """Where the table's rows lie: its own oid, or its partitions'."""
        return {oid for (oid,) in self.database.query(f"""SELECT c.oid::bigint FROM pg_class c WHERE c.relkind = 'r' AND
            (c.oid = '{table}'::regclass OR c.oid IN (SELECT relid FROM pg_partition_tree('{table}'::regclass) WHERE isleaf))""")}

    def relation(self, table: str) -> int:
        return self.database.value("SELECT %s::regclass::oid::bigint", table)


def _by_attnum(row: dict | None, columns: tuple[Column, ...]) -> dict[int, str | None] | None:
    return None if row is None else {c.attnum: row[c.name] for c in columns if not c.generated}
