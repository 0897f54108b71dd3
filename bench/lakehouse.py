"""Bronze to Silver and Silver to Gold."""

from __future__ import annotations

import statistics

import orders
from capture import Setting, _check, _fresh
from timing import Run, median_wall, timed

# Spark 3.5.7 with Iceberg 1.10.2 on two cores: seconds for MERGE batches of the same 200,000 changes into 2,000,000 current rows, the
# session warm, merge-on-read, from an earlier run on such a machine; `--spark` measures it anew.
SPARK_RECORDED_MERGE_S = [18.4, 15.9]
# And for Gold's aggregate over a clean table of 3,000,000 rows, warm.
SPARK_RECORDED_GOLD_S = [4.9, 5.2, 5.5]

GOLD = """-- grain: one row a day and status
-- partition: order_date
-- inputs: silver.orders
SELECT order_date, status, count(*) AS n, sum(amount) AS total, avg(amount) AS mean, count(DISTINCT customer_id) AS customers
FROM silver.orders WHERE is_current GROUP BY order_date, status
"""


def _files(millrace) -> dict[str, int]:
    """Sizes of all files of the table, metadata included."""
    return {str(f): f.stat().st_size for f in (millrace.lake.root / "warehouse/silver/orders").rglob("*") if f.is_file()}


def merge_and_gold(setting: Setting, spark: bool) -> None:
    rows, transactions = 2_000_000 // setting.scale, 2_000 // setting.scale
    database = setting.cluster.create("bench_merge")
    orders.fill(database, rows)
    millrace = _fresh(setting, "merge", database)
    millrace.run("capture", "--once", timeout=900)
    load = timed(millrace.command("silver", "--once"), environment=millrace.environment, log=millrace.log_file)
    row_bytes = sum(size for name, size in _files(millrace).items() if name.endswith(".parquet")) / rows
    runs: list[Run] = []
    changes: list[int] = []
    written: list[float] = []  # times the lower bound: an insert writes a row, an update two, a delete one
    for _ in range(setting.runs):
        with database.connect() as c:
            c.execute("SELECT pg_stat_reset()")
            c.execute("CALL change_orders(%s, %s, 0)", [transactions, rows])
        inserts, updates, deletes = orders.changes_made(database)
        changes.append(inserts + updates + deletes)
        millrace.run("capture", "--once", timeout=900)
        before = _files(millrace)
        runs.append(timed(millrace.command("silver", "--once"), environment=millrace.environment, log=millrace.log_file))
        new = sum(size for name, size in _files(millrace).items() if name not in before)
        written.append(new / ((inserts + 2 * updates + deletes) * row_bytes))
        silver, source = orders.silver_sums(millrace.lake.metadata_location("silver.orders")), orders.source_sums(database)
        _check(tuple(map(float, silver)) == tuple(map(float, source)), f"Silver has {silver}, the source {source}")
    if spark:
        from spark_merge import measure
        theirs = measure(setting.work / "spark", rows, transactions * 100)
        baseline = "measured"
    else:
        theirs, baseline = [s / setting.scale for s in SPARK_RECORDED_MERGE_S], "recorded"
    figures = {"rows": rows, "changes": changes, "initial_load": [load], "millrace": runs, "row_bytes": row_bytes, "written": written,
               "spark_s": theirs, "spark_is": baseline}
    setting.report(f"merge_vs_spark_{baseline}", statistics.median(theirs) / median_wall(runs), "times", 10, True, figures)
    setting.report("merge_seconds", median_wall(runs), "s", statistics.median(theirs) / 10, False, figures)
    setting.report("merge_bytes_written", statistics.median(written), "of_lower_bound", 3.5, False, figures)
    setting.report("merge_memory", max(r.peak_mb for r in runs), "MB", 1000, False, figures)
    _gold(setting, database, millrace, 3_000_000 // setting.scale)
    database.drop()


def _gold(setting: Setting, database, millrace, rows: int) -> None:
    """Over `rows` current rows: a table that is not there yet, so that every period has to be made."""
    have = database.value("SELECT count(*) FROM orders")
    if have < rows:
        database.execute(f"SELECT add_orders({10**9}, {10**9 + rows - have - 1})")
    millrace.run("capture", "--once", timeout=900)
    millrace.run("silver", "--once", timeout=900)
    expected = database.query("SELECT count(*), sum(amount), (SELECT count(*) FROM (SELECT DISTINCT order_date, status FROM orders) d) FROM orders")[0]
    runs = []
    for i in range(setting.runs):
        directory = millrace.home / f"gold{i}"
        directory.mkdir()
        (directory / f"daily{i}.sql").write_text(GOLD)
        millrace.config["gold"] = {"sql": directory.name}
        millrace.write_config()
        runs.append(timed(millrace.command("gold", "--once"), environment=millrace.environment, log=millrace.log_file))
        table = millrace.lake.read(f"gold.daily{i}", "duckdb").to_pylist()
        got = (sum(r["n"] for r in table), sum(r["total"] for r in table), len(table))
        _check(tuple(map(float, got)) == tuple(map(float, expected)), f"Gold has {got}, the source {expected}")
    figures = {"rows": rows, "millrace": runs, "spark_recorded_s": SPARK_RECORDED_GOLD_S}
    setting.report("gold_3m_rows", median_wall(runs), "s", statistics.median(SPARK_RECORDED_GOLD_S) / setting.scale, False, figures)
    setting.report("gold_memory", max(r.peak_mb for r in runs), "MB", 1000, False, figures)
