"""Death and failure at every durable step: each failpoint in src/ is passed at least once, and nothing is lost or doubled by it."""

import itertools
import pathlib
import re

import pytest

from harness import compare
from harness.bronze import check_bronze
from harness.millrace import Failed

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "src"
NAMES = sorted({name for file in SOURCES.rglob("*.cc") if not file.stem.endswith("_test")
                for name in re.findall(r'MR_FAILPOINT\("([^"]+)"\)', file.read_text())})

# Of catalogs that cannot commit several tables at once; the binary has none so far. silver_stage_test.cc passes it with a fake one.
ELSEWHERE = {"silver.between_commits"}


# What has to go wrong first, so that a run comes by these at all: a snapshot that dies leaves a slot to drop.
AFTER = {"slot_drop": "capture.slot_created=kill"}


def _create(database, large: bool = False) -> None:
    database.execute("""
        CREATE TABLE t (id int PRIMARY KEY, a text, n int);
        CREATE TABLE bag (v int);
        ALTER TABLE bag REPLICA IDENTITY FULL;
        INSERT INTO t SELECT i, 'snapshot', i FROM generate_series(1, 50) i;
        INSERT INTO bag VALUES (1), (1);""")
    if large:  # for files that a merge does not write anew but gives a delete file
        database.execute("""CREATE TABLE big (id int PRIMARY KEY, a text, n int);
            INSERT INTO big SELECT i, (SELECT string_agg(md5(random()::text || i || j), '') FROM generate_series(1, 25) j), 0 FROM generate_series(1, 45000) i""")


def _change(database, step: int, large: bool, more_tables: bool, streamed: bool) -> None:
    database.execute(f"""
        UPDATE t SET a = 'step {step}', n = n + 1 WHERE id % 5 = {step % 5};
        DELETE FROM t WHERE id = {step + 1};
        INSERT INTO t VALUES ({1000 + step}, 'new', 0);
        INSERT INTO bag VALUES ({step});
        DELETE FROM bag WHERE ctid = (SELECT min(ctid) FROM bag);""")
    if large:
        database.execute(f"UPDATE big SET n = {step} WHERE id % 1000 = {step}")
    if streamed:  # a transaction that comes before it commits, in more than one block
        database.execute(f"INSERT INTO bag SELECT i + {step} FROM generate_series(1, 6000) i; DELETE FROM bag WHERE v > 500")
    if more_tables:
        database.execute(f"CREATE TABLE more_{step} (id int PRIMARY KEY); INSERT INTO more_{step} VALUES (1), (2)")


def _die(millrace, failpoint: str) -> None:
    try:
        millrace.run("capture", "--once", environment={"MILLRACE_FAILPOINTS": failpoint})
    except Failed as failed:
        assert failed.code == 137, failed


@pytest.fixture
def gold(millrace):
    directory = millrace.home / "gold"
    directory.mkdir()
    (directory / "sizes.sql").write_text("-- grain: one row a value of a\n-- inputs: silver.t\n"
                                         "SELECT a, count(*) AS n FROM silver.t WHERE is_current GROUP BY a\n")
    millrace.config["gold"] = {"sql": "gold"}
    millrace.config["silver"]["retention"] = {"snapshots": 1, "hours": 0}
    millrace.write_config()


# Passed only when a snapshot goes on that was broken off.
RESUMED = {"capture.snapshot_resumed", "capture.snapshot_caught_up", "capture.snapshot_keys_read"}


def _break_off(millrace) -> None:
    """A process that died after some commits of the snapshot."""
    millrace.config["source"]["snapshot"] = {"chunk_bytes": "64KiB", "bytes_per_second": "40MiB"}
    millrace.config["bronze"] |= {"commit_bytes": "64KiB"}
    millrace.write_config()
    with pytest.raises(Failed):
        millrace.run("capture", "--once", environment={"MILLRACE_FAILPOINTS": "bronze.after_commit=kill@5"})
    assert millrace.lake.commits()[-1]["snapshot"] == "running"


@pytest.mark.parametrize("name", [n for n in NAMES if not n.endswith("_rollup") and n not in ELSEWHERE])
def test_failpoint(name, millrace, audit, database, gold):
    large, more_tables, streamed = "delete_file" in name, name.startswith("capture."), "spill" in name
    _create(database, large or name in RESUMED)
    if name in RESUMED:
        _break_off(millrace)
    acted: set[str] = set()
    steps = itertools.count()
    # The first rounds meet the snapshot and the first commits, the later ones everything that comes with changes.
    for _ in range(10):
        for action in ("kill", "error", "unknown", "nospace"):
            if action in acted:
                continue
            _change(database, next(steps), large, more_tables, streamed)
            for part, before in AFTER.items():
                if part in name:
                    _die(millrace, before)
            try:
                if name.startswith("reread."):
                    millrace.catch_up()
                    millrace.run("reread", "public.t", environment={"MILLRACE_FAILPOINTS": f"{name}={action}"})
                millrace.catch_up({"MILLRACE_FAILPOINTS": f"{name}={action}"})
            except Failed as failed:
                assert failed.code == 137 if action == "kill" else 0 < failed.code < 128, failed
            if f"{name} acts" in millrace.log_file.read_text():
                acted.add(action)
                millrace.log_file.write_text("")
        millrace.catch_up()
        if len(acted) == 4:
            break
    assert "kill" in acted, f"no run came by {name}"
    if name.startswith("reread."):
        for table in compare.tables_of(audit):
            compare.check_or_read_again(audit, millrace.lake, table)
    else:
        compare.check(audit, millrace.lake, compare.tables_of(audit), engines=("pyiceberg",))
    check_bronze(millrace.lake)
    rows = millrace.lake.read("gold.sizes").to_pylist()
    assert {r["a"]: r["n"] for r in rows} == dict(database.query("SELECT a, count(*) FROM t GROUP BY a"))


@pytest.mark.parametrize("name", [n for n in NAMES if n.endswith("_rollup")])
def test_failpoint_of_the_roll_up(name, millrace, audit, database):
    """It comes after a thousand commits."""
    _create(database)
    millrace.config["bronze"]["commit_interval"] = "10ms"
    millrace.write_config()
    with database.connect() as c, millrace.up(environment={"MILLRACE_FAILPOINTS": f"{name}=kill"}) as process:
        for i in range(100_000):
            c.execute("UPDATE t SET n = %s WHERE id = %s", [i, 1 + i % 50])
            if process.ended():
                break
        assert process.wait(10) == 137, process.output()[-2000:]
    millrace.catch_up()
    assert list((millrace.lake.bronze / "_commits").glob("rollup-*")) or name.endswith("before_rollup")
    compare.check(audit, millrace.lake, compare.tables_of(audit), engines=("duckdb",))


def test_names_are_found():
    assert len(NAMES) > 10 and ELSEWHERE <= set(NAMES), NAMES
