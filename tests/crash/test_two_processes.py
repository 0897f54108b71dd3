"""Two processes on one lake: the second is refused, or, where the first only seemed dead, the first is when it wakes."""

import pathlib
import signal
import time

import pytest

from harness import compare
from harness.bronze import check_bronze
from harness.millrace import Failed, Millrace
from harness.postgres import wait_until


def _capture_running(millrace: Millrace) -> bool:
    return bool(millrace.database.query("SELECT 1 FROM pg_replication_slots WHERE slot_name = %s AND active", millrace.database.slot))


def _stopped(pid: int) -> bool:
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def check_zombie_is_fenced(millrace: Millrace, audit) -> None:
    """The first process stops just before it commits, another takes over and commits; then the first wakes and goes on."""
    database = millrace.database
    database.execute("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (0, 'snapshot');")
    millrace.catch_up()
    first = millrace.up({"MILLRACE_FAILPOINTS": "commitlog.before_append=stop"})
    try:
        wait_until(lambda: _capture_running(millrace), 20, "up does not stream")
        database.execute("INSERT INTO t SELECT i, 'one' FROM generate_series(1, 100) i")
        wait_until(lambda: _stopped(first.pid), 20, "up did not come to its commit")
        database.execute("INSERT INTO t SELECT i, 'two' FROM generate_series(101, 200) i; DELETE FROM t WHERE id < 20;")
        # What the server does when a client goes silent for wal_sender_timeout.
        database.execute(f"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{database.slot}' AND active")
        wait_until(lambda: not _capture_running(millrace), 20, "the first process's connection is still there")
        # The second runs where the first one's locks are not seen: another machine, or a network file system.
        for lock in millrace.lake.root.glob(".lock*"):
            lock.unlink()
        millrace.run("capture", "--once")
        first.process.send_signal(signal.SIGCONT)
        time.sleep(1.5)
        first.process.send_signal(signal.SIGTERM)
        first.wait(30)
    finally:
        if not first.ended():
            first.process.send_signal(signal.SIGCONT)
            first.kill()
    check_bronze(millrace.lake)
    database.execute("UPDATE t SET a = 'three' WHERE id > 150")
    millrace.catch_up()
    compare.check(audit, millrace.lake, compare.tables_of(audit))
    check_bronze(millrace.lake)


def test_zombie_is_fenced(millrace, audit):
    check_zombie_is_fenced(millrace, audit)


def test_second_up_is_refused(millrace, audit, database):
    database.execute("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'a');")
    with millrace.up() as first:
        millrace.wait_published(0, first)
        wait_until(lambda: _capture_running(millrace), 20, "up does not stream")
        with pytest.raises(Failed) as refused:
            millrace.run("capture", "--once", timeout=60)
        assert 0 < refused.value.code < 128
        assert database.slot in refused.value.output or str(millrace.lake.root) in refused.value.output, refused.value.output
        for i in range(5):
            database.execute(f"INSERT INTO t VALUES ({10 + i}, 'x')")
        millrace.wait_published(audit.last_commit(), first)
        assert first.stop() == 0
    compare.check(audit, millrace.lake, compare.tables_of(audit))
    check_bronze(millrace.lake)
