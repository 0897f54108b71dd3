"""What goes wrong around us: lost slots, other databases, restarts, full disks. Missing changes are said, never passed over."""

import os
import random
import shutil
import subprocess

import pytest

from harness import compare
from harness.bronze import check_bronze
from harness.millrace import Failed, Millrace
from harness.postgres import Cluster, wait_until
from harness.workload import Workload, create

SETUP = "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'a');"


def _refused(millrace, code: int, *words: str) -> None:
    before = millrace.lake.commits()
    with pytest.raises(Failed) as refused:
        millrace.run("capture", "--once", timeout=60)
    assert refused.value.code == code, refused.value
    for word in words:
        assert word in refused.value.output, refused.value.output
    assert [c for c in millrace.lake.commits() if c["files"]] == [c for c in before if c["files"]]


def test_slot_dropped(millrace, database):
    database.execute(SETUP)
    millrace.catch_up()
    database.execute(f"SELECT pg_drop_replication_slot('{database.slot}'); INSERT INTO t VALUES (2, 'lost');")
    _refused(millrace, 70, database.slot)


def test_slot_made_anew(millrace, database):
    database.execute(SETUP)
    millrace.catch_up()
    database.execute(f"""SELECT pg_drop_replication_slot('{database.slot}'); INSERT INTO t VALUES (2, 'lost');
                         SELECT pg_create_logical_replication_slot('{database.slot}', 'pgoutput');""")
    _refused(millrace, 70, database.slot)


def test_slot_advanced_by_someone_else(millrace, database):
    database.execute(SETUP)
    millrace.catch_up()
    database.execute(f"INSERT INTO t VALUES (2, 'lost'); SELECT pg_replication_slot_advance('{database.slot}', pg_current_wal_lsn());")
    _refused(millrace, 70, database.slot)


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
        _refused(millrace, 70, "another database cluster")
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
def server():
    """A cluster of the test's own, to be stopped, copied and changed."""
    cluster = Cluster()
    yield cluster
    cluster.destroy()


@pytest.fixture
def on_server(server, binary, tmp_path):
    """Millrace on a database of `server` with a table t, caught up."""
    database = server.create("shop")
    database.execute(SETUP)
    millrace = Millrace(binary, tmp_path / "on_server", database)
    millrace.catch_up()
    return millrace


def test_dump_restored_into_another_cluster(server, on_server):
    other = Cluster()
    try:
        twin = other.create("shop")
        dump = subprocess.run([server.bin / "pg_dump", server.dsn("shop")], capture_output=True, check=True).stdout
        subprocess.run([other.bin / "psql", "-q", "-v", "ON_ERROR_STOP=1", other.dsn("shop")], input=dump, capture_output=True, check=True)
        assert twin.value("SELECT count(*) FROM t") == 1
        on_server.config["source"]["port"] = other.port
        on_server.write_config()
        _refused(on_server, 70, "another database cluster")
    finally:
        other.destroy()


def test_standby(server, on_server):
    """A server in recovery: nothing is captured from it and nothing broken; once it is the primary, its timeline is followed or refused."""
    server.stop("fast")
    (server.data / "standby.signal").touch()
    if os.geteuid() == 0:
        shutil.chown(server.data / "standby.signal", "postgres")
    server.start()
    _refused(on_server, 69, "standby", "primary")
    server._run(server.bin / "pg_ctl", "-D", server.data, "-w", "promote")
    on_server.database.execute("INSERT INTO t VALUES (2, 'after the promotion')")
    on_server.catch_up()
    assert sorted(r["id"] for r in on_server.lake.read("silver.t").to_pylist()) == [1, 2]


def test_wal_removed(server, on_server):
    database = on_server.database
    database.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'; SELECT pg_reload_conf(); CREATE TABLE filler (a text)")
    for _ in range(4):
        database.execute("INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 20000); SELECT pg_switch_wal(); CHECKPOINT")
    assert database.value("SELECT wal_status FROM pg_replication_slots") == "lost"
    _refused(on_server, 70, database.slot, "max_slot_wal_keep_size")


def test_publication_dropped_while_down(millrace, database):
    database.execute(SETUP)
    millrace.catch_up()
    database.execute(f'DROP PUBLICATION "{database.publication}"; INSERT INTO t VALUES (2, \'lost\')')
    _refused(millrace, 70, database.publication)


def test_publication_dropped_under_up(millrace, database):
    database.execute(SETUP)
    with millrace.up() as process:
        wait_until(lambda: "streaming from slot" in process.output(), 20, "up does not stream")
        database.execute(f'DROP PUBLICATION "{database.publication}"; INSERT INTO t VALUES (2, \'lost\')')
        assert process.wait(60) == 70, process.output()[-2000:]
        assert database.publication in process.output()


@pytest.mark.parametrize("change", ("DROP TABLE t", "SET (publish = 'insert')", "SET TABLE t WHERE (id > 100)", "SET TABLE t (id)"))
def test_publication_changed_by_someone_else(change, millrace, audit, database):
    """What it left out in between is not in the stream: the table is read again, and its state is exact."""
    database.execute(SETUP + "INSERT INTO t VALUES (2, 'b'), (3, 'c'); CREATE TABLE other (id int PRIMARY KEY)")
    millrace.catch_up()
    database.execute(f"""ALTER PUBLICATION "{database.publication}" {change};
                         DELETE FROM t WHERE id = 2; UPDATE t SET a = 'z' WHERE id = 3; INSERT INTO t VALUES (4, 'd'); INSERT INTO other VALUES (1)""")
    millrace.catch_up()
    database.execute("UPDATE t SET a = 'y' WHERE id = 4")
    millrace.catch_up()
    for table in ("t", "other"):
        compare.check_current(audit, millrace.lake, compare.Table(f"public.{table}"))


@pytest.fixture
def role(database):
    """A role with what capture needs and no more."""
    name = f"carrier_{database.name}"
    database.execute(f"""CREATE ROLE "{name}" LOGIN REPLICATION PASSWORD 'right';
                         GRANT CREATE ON DATABASE "{database.name}" TO "{name}"; GRANT ALL ON SCHEMA public TO "{name}";""")
    yield name
    database.execute(f'DROP OWNED BY "{name}" CASCADE; DROP ROLE "{name}"')


@pytest.fixture
def as_role(millrace, database, role):
    database.execute(SETUP + f'ALTER TABLE t OWNER TO "{role}"')
    millrace.config["source"]["user"] = role
    millrace.write_config()
    millrace.environment["PGPASSWORD"] = "right"
    return millrace


def test_wrong_password(as_role):
    as_role.environment["PGPASSWORD"] = "wrong"
    _refused(as_role, 77, "password authentication failed")
    as_role.environment["PGPASSWORD"] = "right"
    as_role.catch_up()


@pytest.mark.parametrize("taken, given, said", (
    ('ALTER ROLE "{role}" NOREPLICATION', 'ALTER ROLE "{role}" REPLICATION', "REPLICATION"),
    ('ALTER ROLE "{role}" NOLOGIN', 'ALTER ROLE "{role}" LOGIN', "not permitted to log in"),
    ('REVOKE CONNECT ON DATABASE "{database}" FROM PUBLIC, "{role}"', 'GRANT CONNECT ON DATABASE "{database}" TO "{role}"', "permission denied"),
))
def test_role_loses_a_privilege(taken, given, said, as_role, audit, database, role):
    as_role.catch_up()
    database.execute(taken.format(role=role, database=database.name) + "; INSERT INTO t VALUES (2, 'meanwhile')")
    _refused(as_role, 77, said)
    database.execute(given.format(role=role, database=database.name))
    as_role.catch_up()
    compare.check(audit, as_role.lake, compare.tables_of(audit))


def test_role_may_not_read_a_table(as_role, database, role):
    database.execute(f'ALTER TABLE t OWNER TO postgres; REVOKE ALL ON t FROM "{role}"')
    _refused(as_role, 77, "t")


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
