"""Many tables, many columns, large values."""

from __future__ import annotations

import hashlib

import pytest

from harness import compare


@pytest.mark.timeout(1800)
def test_many_tables(database, audit, millrace, request):
    """Forty for each of --seeds, 2,000 at most: 200 in a run of everything."""
    count = min(2000, 40 * request.config.getoption("--seeds"))
    with database.connect() as c:
        for first in range(0, count, 100):  # each table takes locks until its transaction ends
            c.execute(f"""DO $$ BEGIN FOR i IN {first}..{min(first + 100, count) - 1} LOOP
                EXECUTE format('CREATE TABLE t_%s (id int PRIMARY KEY, v text)', i);
                EXECUTE format('INSERT INTO t_%s VALUES (1, ''a''), (2, ''b'')', i); END LOOP; END $$""")
    millrace.catch_up()
    assert len(millrace.lake.tables()) == count + 1
    with millrace.up() as process:
        with database.connect() as c:
            c.execute(f"DO $$ BEGIN FOR i IN 0..{count - 1} LOOP EXECUTE format('UPDATE t_%s SET v = ''c'' WHERE id = 1', i); END LOOP; END $$")
            c.execute("DELETE FROM t_1; INSERT INTO t_2 VALUES (3, 'd')")
        millrace.wait_published(audit.last_commit(), process, seconds=900)
        assert process.stop() == 0
        assert not millrace.lake.cuts()[-1]["held_back"]
    every = compare.tables_of(audit)
    assert len(every) == count
    compare.check(audit, millrace.lake, every[:: count // 10], engines=("pyiceberg",))


def test_as_many_columns_as_postgresql_has(database, audit, millrace):
    columns = [f"c{i}" for i in range(1599)]
    database.execute("CREATE TABLE t (id int PRIMARY KEY, " + ", ".join(f"{c} int" for c in columns) + ")")
    database.execute("INSERT INTO t VALUES (1, " + ", ".join(map(str, range(1599))) + "); INSERT INTO t (id) VALUES (2)")
    millrace.catch_up()
    database.execute("UPDATE t SET c1598 = 7; UPDATE t SET c0 = NULL WHERE id = 1; INSERT INTO t (id, c700) VALUES (3, 1)")
    millrace.catch_up()
    assert compare.check(audit, millrace.lake, compare.tables_of(audit), engines=("pyiceberg",)) == 6


@pytest.mark.parametrize("type,value", [("text", "repeat(E'\\\\ \"é\\n' || md5('%s'), 1700000)"), ("bytea", "decode(repeat(md5('%s'), 2100000), 'hex')")], ids=["text", "bytea"])
def test_large_values(database, millrace, type, value):
    """64 MB of text and 32 MB of bytes, from the snapshot, from the stream, and carried on when PostgreSQL does not send them again."""
    database.execute(f"CREATE TABLE t (id int PRIMARY KEY, n int, v {type}); INSERT INTO t VALUES (1, 0, {value % 'a'})")
    millrace.catch_up()
    database.execute(f"INSERT INTO t VALUES (2, 0, {value % 'b'}); UPDATE t SET n = 1")
    millrace.catch_up()
    rows = millrace.lake.catalog().load_table("silver.t").scan(row_filter="is_current = true").to_arrow().to_pylist()

    def digest(v) -> str:
        return hashlib.md5(v if isinstance(v, bytes) else v.encode()).hexdigest()
    assert sorted((r["id"], r["n"], digest(r["v"])) for r in rows) == database.query("SELECT id, n, md5(v) FROM t ORDER BY id")
    assert database.value("SELECT min(octet_length(v)) FROM t") > (32 if type == "bytea" else 64) * 1_000_000
