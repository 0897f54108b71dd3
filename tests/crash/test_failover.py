"""A promoted standby is followed when it has all that Bronze holds, and nothing is guessed otherwise."""

import pytest

from harness.millrace import Failed, Millrace
from harness.postgres import Cluster, Database


@pytest.fixture(scope="module")
def primary():
    cluster = Cluster()
    yield cluster
    cluster.destroy()


@pytest.fixture
def installation(primary, binary, tmp_path, request):
    """A database of the primary that is in the lake, and a way to look at it on another server."""
    database = primary.create(request.node.name)
    database.execute("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'before');")
    millrace = Millrace(binary, tmp_path, database)
    millrace.catch_up()
    yield millrace, database
    database.drop()


def _turn_to(millrace: Millrace, server: Cluster) -> Database:
    millrace.config["source"]["port"] = server.port
    millrace.write_config()
    database = Database(server, millrace.database.name)
    database.slot, database.publication = millrace.database.slot, millrace.database.publication
    return database


def _refused(millrace: Millrace, *words: str) -> None:
    before = millrace.lake.commits()
    with pytest.raises(Failed) as refused:
        millrace.run("capture", "--once", timeout=60)
    for word in (*words, "start again with an empty Bronze folder"):
        assert word in refused.value.output, refused.value.output
    assert [c for c in millrace.lake.commits() if c["files"]] == [c for c in before if c["files"]]


def test_followed(installation, primary):
    millrace, database = installation
    database.execute("INSERT INTO t VALUES (2, 'not carried yet')")
    twin = primary.copy(standby=True)
    try:
        twin.promote()
        promoted = _turn_to(millrace, twin)
        promoted.execute("INSERT INTO t VALUES (3, 'after'); UPDATE t SET a = 'changed' WHERE id = 1")
        millrace.catch_up()
        current = millrace.query("SELECT id, a FROM silver.t WHERE is_current ORDER BY id", "--format", "csv").splitlines()[1:]
        assert current == ["1,changed", "2,not carried yet", "3,after"]
        assert millrace.lake.commits()[-1]["position"]["timeline"] == 2
        # The old primary comes back: it knows nothing of what was written since.
        _turn_to(millrace, primary)
        database.execute("INSERT INTO t VALUES (4, 'on the old primary')")
        _refused(millrace, "timeline 1", "does not descend from timeline 2")
    finally:
        twin.destroy()


def test_older_copies_are_refused(installation, primary):
    millrace, database = installation
    standby = primary.copy(standby=True)
    restored = primary.copy(standby=False)
    try:
        database.execute("INSERT INTO t VALUES (2, 'the copies do not have this')")
        millrace.catch_up()
        _turn_to(millrace, restored)
        _refused(millrace, "restored from an older copy")
        standby.promote()
        promoted = _turn_to(millrace, standby)
        promoted.execute("INSERT INTO t SELECT i, 'other' FROM generate_series(2, 1000) i")
        _refused(millrace, "left timeline 1", "lost in a failover")
        _turn_to(millrace, primary)
        millrace.catch_up()
    finally:
        standby.destroy()
        restored.destroy()


def test_a_standby_without_the_slot_is_refused(installation, primary):
    millrace, database = installation
    if not (primary.bin / "pg_basebackup").exists():
        pytest.skip("this build of PostgreSQL has no pg_basebackup")
    standby = primary.standby()
    try:
        standby.promote()
        _turn_to(millrace, standby).execute("INSERT INTO t VALUES (2, 'after')")
        _refused(millrace, f"slot {database.slot} does not exist")
    finally:
        standby.destroy()


def test_failover_slot(installation, primary):
    _, database = installation
    if database.value("SELECT current_setting('server_version_num')::int") < 170000:
        pytest.skip("PostgreSQL copies slots from 17 on")
    assert database.value("SELECT failover FROM pg_replication_slots WHERE slot_name = %s", database.slot)
