"""What goes wrong around us: lost slots, other databases, restarts, full disks. Missing changes are said, never passed over."""

import os
import random
import subprocess

import pytest

from harness import compare
from harness.bronze import check_bronze
from harness.millrace import Failed
from harness.postgres import Cluster, wait_until
from harness.workload import Workload, create

SETUP = "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'a');"


def _refused(millrace, *words: str) -> None:
    before = millrace.lake.commits()
    with pytest.raises(Failed) as refused:
        millrace.run("capture", "--once", timeout=60)
    assert 0 < refused.value.code < 128
    for word in words:
        assert word in refused.value.output, refused.value.output
    assert [c for c in millrace.lake.commits() if c["files"]] == [c for c in before if c["files"]]


def test_slot_dropped(millrace, database):
    database.execute(SETUP)
    millrace.catch_up()
    database.execute(f"SELECT pg_drop_replication_slot('{database.slot}'); INSERT INTO t VALUES (2, 'lost');")
    _refused(millrace, database.slot)


def test_slot_made_anew(millrace, database):
    database.execute(SETUP)
    millrace.catch_up()
    database.execute(f"""SELECT pg_drop_replication_slot('{database.slot}'); INSERT INTO t VALUES (2, 'lost');
                         SELECT pg_create_logical_replication_slot('{database.slot}', 'pgoutput');""")
    _refused(millrace, database.slot)


def test_slot_advanced_by_someone_else(millrace, database):
    database.execute(SETUP)
    millrace.catch_up()
    database.execute(f"INSERT INTO t VALUES (2, 'lost'); SELECT pg_replication_slot_advance('{database.slot}', pg_current_wal_lsn());")
    _refused(millrace, database.slot)


def test_another_cluster_under_the_same_name(millrace, database):
    database.execute(SETUP)
    millrace.catch_up()
    other = Cluster()
    try:
        twin = other.create(database.name)
        twin.execute(SETUP + f"SELECT pg_create_logical_replication_slot('{database.slot}', 'pgoutput'); "
                             f"CREATE PUBLICATION \"{database.publication}\" FOR TABLE t;")
        millrace.config["source"]["port"] = other.port
        millrace.write_config()
        _refused(millrace)
    finally:
        other.destroy()
    millrace.config["source"]["port"] = database.cluster.port
    millrace.write_config()
    millrace.catch_up()


def test_server_restarts(millrace, audit, database):
    database.execute(SETUP)
    with millrace.up() as process:
        millrace.wait_published(0, process)
        for i in range(3):
            database.cluster.restart()
            database.execute(f"INSERT INTO t VALUES ({10 + i}, 'after restart {i}'); UPDATE t SET a = 'r{i}' WHERE id = 1;")
            millrace.wait_published(audit.last_commit(), process)
        assert process.stop() == 0
    compare.check(audit, millrace.lake, compare.tables_of(audit))


@pytest.fixture
def small_disk(millrace):
    """The lake on a file system of 12 MiB."""
    root = millrace.lake.root
    root.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", root], capture_output=True).returncode == 0
    if not mounted:
        pytest.skip("mounting a tmpfs needs root; the failpoint tests cover the same errors with nospace")
    yield root
    subprocess.run(["umount", "-l", root], check=True)


def test_disk_full(millrace, audit, database, small_disk):
    create(database, random.Random(5), rows=20)
    filler = small_disk / "filler"
    with millrace.up() as process:
        wait_until(millrace.published_lsn, 30, "nothing was published")
        with Workload(database, 5, sessions=2, transactions=40, pause=0.01, ddl=False):
            try:
                with open(filler, "wb") as out:
                    while True:
                        out.write(os.urandom(1 << 16))
                        out.flush()
            except OSError:
                pass
        database.execute("INSERT INTO clicks SELECT md5(i::text), now(), i FROM generate_series(1, 20000) i")
        wait_until(lambda: "space" in process.output() or "full" in process.output(), 20, f"nothing was said: {process.output()[-2000:]}")
        assert process.ended() or process.stop() >= 0
    subprocess.run(["mount", "-o", "remount,size=512m", small_disk], check=True)
    filler.unlink()
    millrace.catch_up()
    compare.check(audit, millrace.lake, compare.tables_of(audit))
    check_bronze(millrace.lake)
