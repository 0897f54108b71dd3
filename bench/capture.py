"""PostgreSQL to committed Bronze, against what PostgreSQL itself can deliver to /dev/null."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil

import orders
from timing import Run, in_turn, median_wall, timed

from harness.millrace import Millrace
from harness.postgres import Cluster, Database


@dataclasses.dataclass
class Setting:
    """What every measure needs to know."""
    binary: pathlib.Path
    cluster: Cluster
    work: pathlib.Path
    runs: int
    scale: int     # divides the number of rows
    report: object  # report(name, value, unit, goal, at_least, figures)


def _check(condition: bool, what: str) -> None:
    if not condition:
        raise AssertionError(what)


def _psql_environment(cluster: Cluster) -> dict[str, str]:
    return os.environ | {"PGPASSWORD": cluster.password}


def _fresh(setting: Setting, name: str, database: Database, **config) -> Millrace:
    home = setting.work / name
    shutil.rmtree(home, ignore_errors=True)
    return Millrace(setting.binary, home, database, config=config or None)


def _drop_slot(database: Database) -> None:
    database.execute(f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{database.slot}'")


def _capture(millrace: Millrace) -> Run:
    return timed(millrace.command("capture", "--once"), environment=millrace.environment, log=millrace.log_file)


def snapshot(setting: Setting) -> None:
    rows = 2_000_000 // setting.scale
    database = setting.cluster.create("bench_snapshot")
    orders.fill(database, rows)
    expected = orders.source_sums(database)

    def ours(_: int) -> Run:
        _drop_slot(database)
        millrace = _fresh(setting, "snapshot", database)
        run = _capture(millrace)
        files = [f for c in millrace.lake.commits() for f in c["files"]]
        _check(orders.bronze_sums(millrace.lake.bronze, files, ".orders").get("r") == tuple(expected[:2]), "the snapshot's rows are not the source's")
        return run

    def copy(_: int) -> Run:
        # psql, because its COPY has no work to do but to receive.
        return timed([setting.cluster.bin / "psql", "-qXAt", "-h", "127.0.0.1", "-p", setting.cluster.port, "-U", setting.cluster.user,
                      "-d", database.name, "-c", "COPY orders TO STDOUT", "-o", "/dev/null"], environment=_psql_environment(setting.cluster))

    mine, theirs = in_turn(setting.runs, ours, copy)
    setting.report("snapshot_orders", median_wall(theirs) / median_wall(mine), "of_copy", 0.7, True,
                   {"rows": rows, "millrace": mine, "copy": theirs})
    setting.report("snapshot_orders_memory", max(r.peak_mb for r in mine), "MB", 250, False, {"millrace": mine})
    database.drop()


class _Backlog:
    """A database with a lake that has its snapshot, and a slot of before the backlog to come back to."""

    def __init__(self, setting: Setting, database: Database, name: str):
        self.setting, self.database = setting, database
        self.millrace = _fresh(setting, name, database)
        self.millrace.run("capture", "--once", timeout=900)
        self.pristine = self.millrace.home / "pristine"
        shutil.copytree(self.millrace.lake.root, self.pristine)
        self.before = len(self.millrace.lake.commits())
        database.execute(f"SELECT pg_copy_logical_replication_slot('{database.slot}', 'pristine_{name}')")
        self.slot = f"pristine_{name}"

    def rewind(self) -> None:
        shutil.rmtree(self.millrace.lake.root)
        shutil.copytree(self.pristine, self.millrace.lake.root)
        _drop_slot(self.database)
        self.database.execute(f"SELECT pg_copy_logical_replication_slot('{self.slot}', '{self.database.slot}')")

    def drain(self) -> tuple[Run, list[dict]]:
        """Millrace's run, and the Bronze files that it committed."""
        self.rewind()
        run = _capture(self.millrace)
        return run, [f for c in self.millrace.lake.commits()[self.before:] for f in c["files"]]

    def receive(self) -> Run:
        """pg_recvlogical over TCP, with the tables that Millrace captures, to /dev/null."""
        copy, database = "receive_copy", self.database
        end = database.value("SELECT pg_current_wal_flush_lsn()::text")
        publications = ",".join(p for (p,) in database.query("SELECT pubname FROM pg_publication WHERE pubname LIKE 'millrace%' ORDER BY 1"))
        database.execute(f"SELECT pg_copy_logical_replication_slot('{self.slot}', '{copy}')")
        run = timed([self.setting.cluster.bin / "pg_recvlogical", "-h", "127.0.0.1", "-p", self.setting.cluster.port, "-U", self.setting.cluster.user,
                     "-d", database.name, "-S", copy, "--start", "-f", "/dev/null", "-F", "0", "-E", end,
                     "-o", "proto_version=1", "-o", f"publication_names={publications}"], environment=_psql_environment(self.setting.cluster))
        database.execute(f"SELECT pg_drop_replication_slot('{copy}')")
        return run

    def close(self) -> None:
        self.database.drop()
        shutil.rmtree(self.millrace.home, ignore_errors=True)


def drain_orders(setting: Setting) -> None:
    transactions = 10_000 // setting.scale
    database = setting.cluster.create("bench_drain")
    rows = 2_000_000 // setting.scale
    orders.fill(database, rows)
    backlog = _Backlog(setting, database, "drain_orders")
    with database.connect() as c:
        c.execute("SELECT pg_stat_reset()")
        c.execute("CALL change_orders(%s, %s, 200)", [transactions, rows])
    made = orders.changes_made(database)

    def ours(_: int) -> Run:
        run, files = backlog.drain()
        sums = orders.bronze_sums(backlog.millrace.lake.bronze, files, ".orders")
        _check(tuple(sums.get(op, (0,))[0] for op in "cud") == tuple(made), f"drained {sums}, made {made}")
        return run

    mine, theirs = in_turn(setting.runs, ours, lambda _: backlog.receive())
    figures = {"changes": sum(made), "millrace": mine, "pg_recvlogical": theirs}
    setting.report("drain_orders", median_wall(theirs) / median_wall(mine), "of_pg_recvlogical", 0.9, True, figures)
    setting.report("drain_orders_catch_up", median_wall(theirs) / median_wall(mine), "of_pg_recvlogical", 1.5, True, figures)
    setting.report("drain_orders_rate", sum(made) / median_wall(mine), "changes/s", 0, True, figures)
    setting.report("drain_orders_memory", max(r.peak_mb for r in mine), "MB", 250, False, figures)

    # One transaction that changes every row.
    backlog.rewind()
    backlog.millrace.run("capture", "--once")
    with database.connect() as c:
        count = c.execute("UPDATE orders SET quantity = 1").rowcount
    before = len(backlog.millrace.lake.commits())
    huge = _capture(backlog.millrace)
    files = [f for c in backlog.millrace.lake.commits()[before:] for f in c["files"]]
    _check(sum(f["records"] for f in files) == count, "the huge transaction is not whole")
    setting.report("huge_transaction_memory", huge.peak_mb, "MB", 250, False, {"changes": count, "millrace": [huge]})
    backlog.close()


def drain_tpcb(setting: Setting) -> None:
    transactions = 250_000 // setting.scale
    database = setting.cluster.create("bench_tpcb")
    pgbench = [setting.cluster.bin / "pgbench", "-h", "127.0.0.1", "-p", setting.cluster.port, "-U", setting.cluster.user]
    environment = _psql_environment(setting.cluster) | {"PGOPTIONS": "-c synchronous_commit=off"}
    timed([*pgbench, "-i", "-q", "-s", max(1, 20 // setting.scale), database.name], environment=environment)
    backlog = _Backlog(setting, database, "drain_tpcb")
    timed([*pgbench, "-n", "-c", 4, "-j", 2, "-t", transactions // 4, database.name], environment=environment)
    database.execute("CHECKPOINT")  # the last asynchronous commits are on disk now
    history = database.value("SELECT count(*) FROM pgbench_history")
    balance = database.value("SELECT sum(delta) FROM pgbench_history")

    def ours(_: int) -> Run:
        run, files = backlog.drain()
        records = {}
        for f in files:
            topic = f["topic"].rsplit(".", 1)[1]
            records[topic] = records.get(topic, 0) + f["records"]
        _check(all(records.get(f"pgbench_{t}") == history for t in ("accounts", "branches", "tellers", "history")), f"drained {records}, made {history} each")
        return run

    mine, theirs = in_turn(setting.runs, ours, lambda _: backlog.receive())
    setting.report("drain_tpcb", median_wall(theirs) / median_wall(mine), "of_pg_recvlogical", 0.9, True,
                   {"changes": 4 * history, "sum_of_deltas": int(balance), "millrace": mine, "pg_recvlogical": theirs})
    backlog.close()
