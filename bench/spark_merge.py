"""Spark's side of the merge: the same changes, from JSON events to a committed Iceberg snapshot, in a warm session on two cores.

    spark_merge.measure(home, rows, changes) -> seconds of each warm batch

brings PySpark and the Iceberg runtime into ~/.cache/millrace/deps/spark on first use. Run as a program it is the Spark job itself.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import time

PYSPARK = "pyspark==3.5.7"
ICEBERG = "org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:1.10.2"
BATCHES = 6  # the first one is cold and does not count


def measure(home: pathlib.Path, rows: int, changes: int) -> list[float]:
    cache = pathlib.Path(os.environ.get("MILLRACE_DEPS", pathlib.Path.home() / ".cache/millrace/deps")) / "spark"
    python = cache / "venv/bin/python"
    if not (cache / "ready").exists():
        print(f"bench: bringing {PYSPARK} and {ICEBERG} into {cache}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", cache / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "-q", "--disable-pip-version-check", "install", PYSPARK, "setuptools"], check=True)
        subprocess.run(["mvn", "-q", "dependency:copy", f"-Dartifact={ICEBERG}", f"-DoutputDirectory={cache}/jars"], check=True)
        (cache / "ready").touch()
    home.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([python, __file__, cache / "jars", home, str(rows), str(changes)], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=True)
    return json.loads(done.stdout.splitlines()[-1])


_ROW = ("id: bigint, external_id: string, customer_id: int, customer_name: string, amount: string, quantity: int, discount: double, is_gift: boolean, "
        "note: string, order_date: int, created_at: string, updated_at: bigint, attrs: string, status: string")
_COLUMNS = ("id", "external_id", "customer_id", "customer_name", "amount", "quantity", "discount", "is_gift", "note", "order_date", "created_at",
            "updated_at", "attrs", "status")


def _values(i: str) -> str:
    """The columns of order number `i`, as an event has them."""
    return f"""{i} AS id, md5(cast({i} AS string)) AS external_id, cast({i} * 7919 % 50000 AS int) AS customer_id, concat('Customer ', {i} * 7919 % 50000) AS customer_name,
      cast(cast({i} * 37 % 1000000 / 100 AS decimal(12,2)) AS string) AS amount, cast({i} % 20 AS int) AS quantity, {i} % 100 / 100.0D AS discount,
      {i} % 10 = 0 AS is_gift, CASE WHEN {i} % 3 = 0 THEN NULL ELSE concat('note ', md5(cast({i} + 1 AS string)), ' some text') END AS note,
      cast(20089 + {i} % 365 AS int) AS order_date, '2025-01-01T00:00:00.000000Z' AS created_at, 1735689600000000 + {i} AS updated_at,
      concat('{{"sku": "SKU-', {i} % 1000, '", "w": ', {i} % 50, '}}') AS attrs,
      element_at(array('new', 'paid', 'shipped', 'delivered', 'cancelled'), cast(1 + {i} % 5 AS int)) AS status"""


def _typed(prefix: str) -> str:
    special = {"amount": "cast({} AS decimal(12,2))", "order_date": "date_add(date'1970-01-01', {})", "created_at": "to_timestamp({})",
               "updated_at": "timestamp_micros({})"}
    return ", ".join(special.get(c, "{}").format(f"{prefix}{c}") + f" AS {c}" for c in _COLUMNS)


def job(jars: pathlib.Path, home: pathlib.Path, rows: int, changes: int) -> None:
    from pyspark.sql import SparkSession
    builder = SparkSession.builder.master("local[2]").appName("merge")
    for key, value in {
        "spark.jars": ",".join(map(str, jars.glob("*.jar"))), "spark.driver.memory": "4g", "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.local.dir": f"{home}/tmp",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog", "spark.sql.catalog.lake.type": "hadoop",
        "spark.sql.catalog.lake.warehouse": f"{home}/warehouse", "spark.sql.session.timeZone": "UTC", "spark.sql.shuffle.partitions": "4",
    }.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    modes = ", ".join(f"'write.{m}.mode' = 'merge-on-read'" for m in ("merge", "update", "delete"))
    spark.sql(f"""CREATE TABLE lake.db.orders USING iceberg TBLPROPERTIES ('format-version' = '2', {modes}) AS
        SELECT {_typed('')}, timestamp'2025-06-01' AS valid_from, cast(NULL AS timestamp) AS valid_to, true AS is_current, 'r' AS op, 0L AS lsn
        FROM (SELECT {_values('id')} FROM range(1, {rows + 1}))""")
    seconds = []
    for batch in range(BATCHES):
        path = f"{home}/events/{batch}"
        first = (batch + 1) * 10**9
        # 60 inserts, 30 updates and 10 deletes of random keys in each hundred.
        spark.sql(f"""SELECT CASE WHEN k < 60 THEN 'c' WHEN k < 90 THEN 'u' ELSE 'd' END AS op,
              CASE WHEN k < 90 THEN named_struct({', '.join(f"'{c}', {c}" for c in _COLUMNS)}) END AS after,
              CASE WHEN k >= 90 THEN named_struct('id', id) END AS before, named_struct('commit_lsn', n DIV 100, 'ordinal', k, 'ts_us', {first} + n) AS source
            FROM (SELECT k, n, {_values('i')} FROM (SELECT id AS n, id % 100 AS k, CASE WHEN id % 100 < 60 THEN {first} + id
              ELSE cast(ceil(rand({batch}) * {rows}) AS bigint) END AS i FROM range({changes})))""").coalesce(2).write.option("compression", "gzip").json(path)
        begin = time.monotonic()
        events = spark.read.schema(f"op string, after struct<{_ROW}>, "
                                   "before struct<id: bigint>, source struct<commit_lsn: bigint, ordinal: bigint, ts_us: bigint>").json(path)
        events.selectExpr("coalesce(after.id, before.id) AS key", "after", "op", "source.commit_lsn AS lsn", "source.ordinal AS ord",
                          "timestamp_micros(source.ts_us) AS ts").createOrReplaceTempView("changes")
        spark.sql("""SELECT *, row_number() OVER w AS n, lead(ts) OVER w AS next FROM changes
                     WINDOW w AS (PARTITION BY key ORDER BY lsn, ord)""").createOrReplaceTempView("ordered")
        nothing = ", ".join(f"NULL AS {c}" for c in _COLUMNS[1:])
        spark.sql(f"""SELECT key AS closes, key AS id, {nothing}, ts AS valid_from, NULL AS valid_to, false AS is_current, op, lsn FROM ordered WHERE n = 1 AND op <> 'c'
            UNION ALL SELECT NULL, {_typed('after.')}, ts, next, next IS NULL, op, lsn FROM ordered WHERE op <> 'd'""").createOrReplaceTempView("steps")
        every = ", ".join((*_COLUMNS, "valid_from", "valid_to", "is_current", "op", "lsn"))
        spark.sql(f"""MERGE INTO lake.db.orders t USING steps s ON t.id = s.closes AND t.is_current
            WHEN MATCHED THEN UPDATE SET valid_to = s.valid_from, is_current = false
            WHEN NOT MATCHED AND s.closes IS NULL THEN INSERT ({every}) VALUES ({', '.join('s.' + c.strip() for c in every.split(','))})""")
        seconds.append(time.monotonic() - begin)
    spark.stop()
    print(json.dumps(seconds[1:]))


if __name__ == "__main__":
    job(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
