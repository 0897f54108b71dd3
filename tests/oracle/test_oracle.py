"""The oracle judges Millrace, so it is judged first: against the source itself, and against histories worked out by hand."""

import random

import pytest

from harness.audit import Audit
from harness.compare import check_oracle, tables_of
from harness.scd2 import Base, fold
from harness.workload import Workload, create


def _histories(audit: Audit, table: str, identity: str = "key", base: Base = Base()):
    history = fold(audit.transactions(), audit.relation(table), base, identity=identity)
    return [(v.key, v.number, *(v.row.get(c.attnum) for c in history.columns if not c.key), v.valid_to is None, v.deleted)
            for v in history.versions]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_current_rows_are_the_source(database, audit, seed):
    rng = random.Random(seed)
    create(database, rng, rows=40)
    with Workload(database, seed, transactions=80):
        pass
    transactions = list(audit.transactions())
    assert [t.commit_lsn for t in transactions] == sorted({t.commit_lsn for t in transactions})
    assert sum(len(t.changes) for t in transactions) > 500
    tables = tables_of(audit)
    assert sorted(t.identity for t in tables) == ["full", "insert"] + ["key"] * 6
    for table in tables:
        history = fold(transactions, audit.relation(table.name), Base(), identity=table.identity)
        if table.identity == "insert":
            continue
        check_oracle(history, database, table.name)
        assert history.versions, table.name


def test_commit_order_and_time(database, audit):
    database.execute("CREATE TABLE t (id int PRIMARY KEY, a int)")
    with database.connect(autocommit=False) as early, database.connect(autocommit=False) as late:
        early.execute("INSERT INTO t VALUES (1, 1)")   # begins first, commits last
        late.execute("INSERT INTO t VALUES (2, 2)")
        late.commit()
        early.commit()
    transactions = [t for t in audit.transactions() if any(c.op == "I" for c in t.changes)]
    attnum = transactions[0].changes[0].columns[0].attnum
    assert [t.changes[0].new[attnum] for t in transactions] == ["2", "1"]
    for t in transactions:
        server = database.value("SELECT (extract(epoch FROM pg_xact_commit_timestamp(%s::text::xid)) * 1000000)::bigint", str(t.xid))
        assert server == t.commit_time


def test_versions_by_hand(database, audit):
    database.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
    database.execute("""
        INSERT INTO t VALUES (1, 'one');
        UPDATE t SET a = 'one';
        UPDATE t SET a = 'uno';
        BEGIN; UPDATE t SET a = 'x'; UPDATE t SET a = 'y'; COMMIT;
        BEGIN; INSERT INTO t VALUES (2, 'gone'); DELETE FROM t WHERE id = 2; COMMIT;
        BEGIN; DELETE FROM t; INSERT INTO t VALUES (1, 'y'); COMMIT;
        UPDATE t SET id = 3;
        DELETE FROM t;
        INSERT INTO t VALUES (1, 'back');
        BEGIN; INSERT INTO t VALUES (4, 'no'); ROLLBACK;
        TRUNCATE t;
        BEGIN; TRUNCATE t; INSERT INTO t VALUES (1, 'again'); COMMIT;
    """)
    assert _histories(audit, "t") == [
        (("1",), 1, "one", False, False), (("1",), 2, "uno", False, False), (("1",), 3, "y", False, True),
        (("3",), 1, "y", False, True), (("1",), 4, "back", False, True), (("1",), 5, "again", True, False)]


def test_snapshot_is_one_first_version(database, audit):
    database.execute("CREATE TABLE t (id int PRIMARY KEY, a text)")
    database.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b'); UPDATE t SET a = 'c' WHERE id = 1; DELETE FROM t WHERE id = 2;")
    at = database.value("SELECT (pg_current_wal_lsn() - '0/0')::bigint")
    database.execute("UPDATE t SET a = 'd'; INSERT INTO t VALUES (2, 'e');")
    assert _histories(audit, "t", base=Base(at, 0)) == [
        (("1",), 1, "c", False, False), (("1",), 2, "d", True, False), (("2",), 1, "e", True, False)]


def test_rows_without_a_key(database, audit):
    database.execute("CREATE TABLE t (a int); ALTER TABLE t REPLICA IDENTITY FULL; CREATE TABLE n (a int);")
    database.execute("""
        INSERT INTO t VALUES (1), (1); DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t); UPDATE t SET a = 2;
        INSERT INTO n VALUES (1); UPDATE n SET a = 2; INSERT INTO n VALUES (3); TRUNCATE n; INSERT INTO n VALUES (4);""")
    assert sorted(v[-2:] for v in _histories(audit, "t", "full")) == [(False, True), (False, True), (True, False)]
    assert [v[2:] for v in _histories(audit, "n", "insert")] == [("1", False, True), ("3", False, True), ("4", True, False)]


def test_shape_follows_ddl(database, audit):
    database.execute("CREATE TABLE t (id int PRIMARY KEY, a int, b text)")
    database.execute("""
        INSERT INTO t VALUES (1, 1, 'x');
        ALTER TABLE t ADD COLUMN c text; UPDATE t SET c = 'new';
        ALTER TABLE t RENAME COLUMN a TO a2; UPDATE t SET a2 = 2;
        ALTER TABLE t DROP COLUMN b; UPDATE t SET a2 = a2; UPDATE t SET a2 = a2; UPDATE t SET a2 = 3;""")
    history = fold(audit.transactions(), audit.relation("t"), Base(), identity="key")
    assert [c.name for c in history.columns] == ["id", "a2", "c"]
    assert [(v.number, [v.row.get(c.attnum) for c in history.columns]) for v in history.versions] == [
        (1, ["1", "1", None]), (2, ["1", "1", "new"]), (3, ["1", "2", "new"]), (4, ["1", "2", "new"]), (5, ["1", "3", "new"])]
