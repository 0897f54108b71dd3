"""Gold killed or failing at each durable step that it passes, SQL that fails on the data, and what killed runs leave behind."""

import os
import pathlib

import pytest

from crash.fault_run import failpoints
from harness.millrace import Failed
from harness.postgres import wait_until

SQL = """-- grain: one row a day
-- partition: day
-- inputs: silver.t
-- touched: silver.t => day
SELECT day, count(*) AS n, sum({value}) AS total FROM silver.t WHERE is_current GROUP BY day
"""
# The steps that a refresh takes; which of them it passes, the run itself tells.
STEPS = [name for name in failpoints() if name.split(".")[0] in ("gold", "table", "object_file", "catalog")]


@pytest.fixture
def gold(millrace, database):
    database.execute("""CREATE TABLE t (id int PRIMARY KEY, day date, v int, x text);
                        INSERT INTO t SELECT i, date '2026-01-01' + i % 40, i, '5' FROM generate_series(1, 400) i""")
    directory = millrace.home / "gold"
    directory.mkdir()
    (directory / "days.sql").write_text(SQL.format(value="v"))
    millrace.config["gold"] = {"sql": "gold", "interval": "200ms"}
    millrace.config["silver"]["retention"] = {"snapshots": 1, "hours": 0}
    millrace.write_config()
    millrace.catch_up()
    return directory


def exact(millrace, table: str = "gold.days") -> None:
    rows = millrace.lake.read(table).to_pylist()
    expected = millrace.database.query("SELECT day, count(*), sum(v) FROM t GROUP BY day")
    assert sorted((r["day"], r["n"], int(r["total"])) for r in rows) == sorted(expected)


def unnamed(millrace) -> set[pathlib.Path]:
    """Files in the folder of gold.days that its metadata does not name."""
    table = millrace.lake.catalog().load_table("gold.days")
    named = {table.metadata_location} | {entry.metadata_file for entry in table.metadata.metadata_log}
    for snapshot in table.metadata.snapshots:
        named.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            named.add(manifest.manifest_path)
            named |= {entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True)}
    folder = millrace.lake.root / "warehouse/gold/days"
    return {p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".tmp-")} - {pathlib.Path(uri.removeprefix("file://")) for uri in named}


def test_gold_at_each_failpoint(millrace, database, gold):
    passed = set()
    for step, name in enumerate(STEPS):
        database.execute(f"UPDATE t SET v = v + 1 WHERE id % 40 = {step % 40}; DELETE FROM t WHERE id = {step + 1}")
        millrace.run("capture", "--once")
        millrace.run("silver", "--once")
        for action in ("kill", "error") if name.startswith("gold.") else ("kill",):
            millrace.log_file.write_text("")
            try:
                millrace.run("gold", "--once", environment={"MILLRACE_FAILPOINTS": f"{name}={action}"})
            except Failed as failed:
                assert failed.code == 137 if action == "kill" else 0 < failed.code < 128, failed
            if f"{name} acts" not in millrace.log_file.read_text():
                break
            passed.add(name)
            if millrace.lake.tables():
                millrace.lake.read("gold.days")  # whatever happened, readers see a whole table
        millrace.run("gold", "--once")
        exact(millrace)
    assert {"gold.before_commit", "gold.after_commit", "table.before_data_file", "table.after_manifest_list", "catalog.after_commit",
            "object_file.before_publish", "table.before_expiry_deletes"} <= passed, passed
    left = unnamed(millrace)
    assert left, "the kills left nothing: the sweep below shows nothing"
    for path in left:
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 2 * 86_400))
    with millrace.up() as process:  # looks at the table when it has nothing else to do
        wait_until(lambda: not unnamed(millrace), 30, "the leftovers stay")
        assert process.stop() == 0
    exact(millrace)


def test_sql_that_fails_on_the_data(millrace, database, gold):
    """One table's SQL meets a value that it cannot cast: readers keep what was published, the other tables go on, and so does everything else."""
    (gold / "texts.sql").write_text(SQL.format(value="CAST(x AS INTEGER)"))
    millrace.run("gold", "--once")
    before = millrace.lake.read("gold.texts")
    database.execute("UPDATE t SET x = 'not a number', v = v + 1 WHERE id = 7")
    millrace.run("capture", "--once")
    millrace.run("silver", "--once")
    with pytest.raises(Failed) as failed:
        millrace.run("gold", "--once")
    assert failed.value.code == 69 and "texts.sql" in failed.value.output, failed.value
    exact(millrace)
    assert millrace.lake.read("gold.texts").equals(before)
    with millrace.up() as process:
        database.execute("UPDATE t SET v = v + 1 WHERE id = 8")
        wait_until(lambda: "trying again" in process.output(), 20, "nothing was said")
        database.execute("UPDATE t SET x = '6' WHERE id = 7")
        assert process.stop() == 0
    millrace.catch_up()
    exact(millrace)
    assert sum(int(r["total"]) for r in millrace.lake.read("gold.texts").to_pylist()) == database.value("SELECT sum(x::int) FROM t")
