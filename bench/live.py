"""`up` at work: how long a commit takes to be seen by somebody else's reader, and what it costs in memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import time

import orders
from capture import Setting, _check, _fresh
from lakehouse import GOLD

from harness.lake import duckdb_with_iceberg
from harness.millrace import Millrace
from harness.postgres import Database, wait_until

_INSERT = """\\set c random(1, 50000)
INSERT INTO orders (external_id, customer_id, customer_name, amount, quantity, discount, is_gift, note, order_date, created_at, updated_at, attrs, status)
VALUES (gen_random_uuid(), :c, 'Customer ' || :c, :c / 100.0, 1, 0.5, false, 'note', current_date, now(), now()::timestamp, '{"sku": "SKU-1"}', 'new');
"""


def _streams(database: Database) -> bool:
    return bool(database.query("SELECT 1 FROM pg_replication_slots WHERE slot_name = %s AND active", database.slot))


class _Reader:
    """Opens the table anew, as DuckDB's Iceberg extension does, and notes when it saw which row first."""

    def __init__(self, millrace: Millrace):
        self.millrace, self.db = millrace, duckdb_with_iceberg()
        self.last_location, self.last_lsn = "", 0
        self.latencies: list[float] = []
        self.looks = 0

    def look(self, record: bool = True) -> None:
        location = self.millrace.lake.metadata_location("silver.orders")
        if location == self.last_location:
            return
        rows = self.db.execute(f"""SELECT epoch_us(valid_from), _from_lsn FROM iceberg_scan('{location.removeprefix("file://")}')
                                   WHERE _from_lsn > {self.last_lsn}""").fetchall()
        seen = time.time()
        self.looks += 1
        self.last_location = location
        if rows:
            self.last_lsn = max(lsn for _, lsn in rows)
            if record:
                self.latencies += [seen - committed / 1e6 for committed, _ in rows]


def latency(setting: Setting) -> None:
    """1,000 single-row transactions a second."""
    seconds, rate = (30, 1000) if setting.scale == 1 else (8, 1000)
    database = setting.cluster.create("bench_live")
    orders.fill(database, 100_000 // setting.scale)
    script = setting.work / "insert.sql"
    script.write_text(_INSERT)
    p50s, p99s, peaks, looks = [], [], [], []
    millrace = _fresh(setting, "live", database)
    (millrace.home / "gold").mkdir()
    (millrace.home / "gold/daily.sql").write_text(GOLD)
    millrace.config["gold"] = {"sql": "gold", "interval": "5s"}
    millrace.write_config()
    millrace.catch_up()
    for _ in range(max(2, setting.runs // 2) if setting.scale == 1 else 1):
        with millrace.up() as process:
            wait_until(lambda: _streams(database), 60, "up does not stream")
            reader = _Reader(millrace)
            reader.look(record=False)
            load = subprocess.Popen([str(setting.cluster.bin / "pgbench"), "-n", "-h", "127.0.0.1", "-p", str(setting.cluster.port), "-U", setting.cluster.user,
                                     "-R", str(rate), "-c", "8", "-j", "1", "-T", str(seconds), "-f", str(script), database.name],
                                    env=os.environ | {"PGPASSWORD": setting.cluster.password}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while load.poll() is None:
                reader.look()
                time.sleep(0.02)
            deadline = time.time() + 30
            count = database.value("SELECT count(*) FROM orders")
            while orders.silver_sums(millrace.lake.metadata_location("silver.orders"))[0] < count:
                _check(time.time() < deadline, "not everything became visible within 30 s")
                reader.look()
            reader.look()
            _check(load.returncode == 0, "pgbench failed")
            peaks.append(process.peak_memory() / 1e6)
            _check(process.stop() == 0, "up did not end well")
        kept = sorted(reader.latencies[len(reader.latencies) // 10:])
        _check(len(kept) > 0.8 * rate * seconds, f"only {len(kept)} rows were seen")
        p50s.append(statistics.median(kept) * 1000)
        p99s.append(kept[int(len(kept) * 0.99)] * 1000)
        looks.append(reader.looks)
        silver, source = orders.silver_sums(millrace.lake.metadata_location("silver.orders")), orders.source_sums(database)
        _check(tuple(map(float, silver)) == tuple(map(float, source)), f"Silver has {silver}, the source {source}")
    figures = {"rate": rate, "seconds": seconds, "p50_ms": p50s, "p99_ms": p99s, "peak_mb": peaks, "snapshots_seen": looks}
    setting.report("visible_p99", statistics.median(p99s), "ms", 2000, False, figures)
    setting.report("visible_p50", statistics.median(p50s), "ms", 1000, False, figures)
    setting.report("up_memory", max(peaks), "MB", 1000, False, figures)
    _start(setting, millrace, database)
    database.drop()


_SECOND = """
INSERT INTO orders (external_id, customer_id, customer_name, amount, quantity, discount, is_gift, note, order_date, created_at, updated_at, attrs, status)
SELECT gen_random_uuid(), i, 'Customer ' || i, i / 100.0, 1, 0.5, false, 'note', current_date, now(), now()::timestamp, '{"sku": "SKU-1"}', 'new' FROM generate_series(1, 60) i;
UPDATE orders SET amount = amount + 1 WHERE id = ANY (ARRAY(SELECT ceil(random() * %(last)s)::bigint FROM generate_series(1, 30)));
DELETE FROM orders WHERE id = ANY (ARRAY(SELECT ceil(random() * %(last)s)::bigint FROM generate_series(1, 10)));
"""


def steady(setting: Setting, minutes: float = 30) -> None:
    """One commit a second: does anything grow? The last sixth of the time against the second one."""
    rows, seconds = 100_000 // setting.scale, minutes * 60
    database = setting.cluster.create("bench_steady")
    orders.fill(database, rows)
    millrace = _fresh(setting, "steady", database, silver={"interval": "200ms"})
    millrace.catch_up()
    samples: list[dict] = []  # one a second
    with millrace.up() as process, database.connect() as writer:
        wait_until(lambda: _streams(database), 60, "up does not stream")
        reader = _Reader(millrace)
        reader.look(record=False)
        begin = time.time()
        for second in range(int(seconds)):
            writer.execute(_SECOND % {"last": rows})
            seen = len(reader.latencies)
            while time.time() < begin + second + 1:
                reader.look()
                time.sleep(0.02)
            sample = {"latencies": reader.latencies[seen:], "rss": _resident(process.pid)}
            if second % 10 == 0:
                metadata = reader.last_location.removeprefix("file://")
                sample["metadata"] = os.path.getsize(metadata)
                sample["files"] = reader.db.execute(f"SELECT count(*) FROM iceberg_metadata('{metadata}') WHERE status <> 'DELETED'").fetchone()[0]
            samples.append(sample)
        _check(process.stop() == 0, "up did not end well")
    sixth = len(samples) // 6
    early, late = samples[sixth:2 * sixth], samples[-sixth:]
    figures = {"minutes": minutes, "samples": samples}
    for name, of in (("p99", lambda part: sorted(x for s in part for x in s["latencies"])[int(0.99 * sum(len(s["latencies"]) for s in part))]),
                     ("memory", lambda part: statistics.median(s["rss"] for s in part)),
                     ("metadata", lambda part: statistics.median(s["metadata"] for s in part if "metadata" in s)),
                     ("files", lambda part: statistics.mean(s["files"] for s in part if "files" in s))):
        setting.report(f"steady_{name}", of(late) / of(early), "of_early", 1.2, False, figures | {"early": of(early), "late": of(late)})
    database.drop()


def _resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _start(setting: Setting, millrace: Millrace, database: Database) -> None:
    """From exec until the server says that the slot is being read."""
    times = []
    for _ in range(setting.runs):
        begin = time.monotonic()
        with millrace.up() as process:
            wait_until(lambda: _streams(database), 60, "up does not stream", pause=0.005)
            times.append(time.monotonic() - begin)
            _check(process.stop() == 0, "up did not end well")
        wait_until(lambda: not _streams(database), 30, "the slot is still read")
    setting.report("start_to_streaming", statistics.median(times), "s", 1.0, False, {"seconds": times})
