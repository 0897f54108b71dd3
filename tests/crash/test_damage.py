"""What is stored is damaged, missing, locked or not to be written: the refusal names the object and the cure, and after the cure nothing is
missing. Readers and other tables go on as far as they can."""

import contextlib
import os
import pathlib
import shutil
import sqlite3
import subprocess

import pytest

from harness import compare
from harness.bronze import check_bronze
from harness.millrace import Failed

CORRUPT, AWAY, DENIED = 65, 69, 77  # docs/guide/operating.md


@pytest.fixture
def tables(database, audit):
    database.execute("""CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t SELECT i, 'snapshot' FROM generate_series(1, 100) i;
                        CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1);""")


def change(database, step: int) -> None:
    database.execute(f"UPDATE t SET a = 'step {step}' WHERE id % 3 = {step % 3}; DELETE FROM t WHERE id = {step + 1}; INSERT INTO other VALUES ({10 + step})")


def refused(millrace, code: int, *arguments: str, say: tuple[str, ...] = ()) -> None:
    with pytest.raises(Failed) as failed:
        millrace.run(*arguments, timeout=60)
    assert failed.value.code == code, failed.value
    for word in say:
        assert word in failed.value.output, f"'{word}' is not in: {failed.value.output}"


def held_back(millrace, *words: str) -> None:
    """Silver goes on without the table, and says why."""
    millrace.run("silver", "--once")
    (held,) = millrace.lake.cuts()[-1]["held_back"]
    assert held["table"] in ("public.t", "shop.public.t"), held
    for word in words:
        assert word in held["reason"], held


def resumed(millrace, audit, name: str = "public.t") -> None:
    """After the cure the table catches up with all that came meanwhile."""
    millrace.run("silver", "--once", "--resume", name)
    millrace.catch_up()
    assert not millrace.status()["silver"]["held_back"]
    exact(millrace, audit)


def exact(millrace, audit) -> None:
    compare.check(audit, millrace.lake, compare.tables_of(audit))
    check_bronze(millrace.lake)


@contextlib.contextmanager
def damaged(path: pathlib.Path, how: str):
    """The file damaged or away, and put back in the end."""
    kept = path.with_name("kept-by-the-test")
    shutil.copy2(path, kept)
    if how == "missing":
        path.unlink()
    elif how == "cut":
        os.truncate(path, path.stat().st_size // 2)
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0x55
        path.write_bytes(data)
    try:
        yield
    finally:
        os.replace(kept, path)


def newest(files) -> pathlib.Path:
    return max(files, key=lambda p: p.stat().st_mtime_ns)


@pytest.mark.parametrize("how", ("flipped", "cut", "missing"))
def test_bronze_object(how, millrace, tables, audit, database):
    millrace.catch_up()
    change(database, 1)
    millrace.run("capture", "--once")
    victim = newest(p for p in (millrace.lake.bronze / "shop.public.t").rglob("*.zst"))
    with damaged(victim, how):
        held_back(millrace, victim.name, "restore")
        refused(millrace, CORRUPT, "bronze", say=(victim.name,))
        change(database, 2)
        millrace.catch_up()  # capture does not need it, and the other table goes on
        refused(millrace, 64, "silver", "--once", "--resume", "public.t", say=(victim.name,))
        compare.check(audit, millrace.lake, [compare.Table("public.other")])
    resumed(millrace, audit)


@pytest.mark.parametrize("how", ("flipped", "cut", "missing"))
def test_bronze_commit(how, millrace, tables, audit, database):
    millrace.catch_up()
    for step in (1, 2):
        change(database, step)
        millrace.run("capture", "--once")
    victim = sorted((millrace.lake.bronze / "_commits").glob("0*.json"))[-3 if how == "missing" else -1]
    with damaged(victim, how):
        for stage in ("capture", "silver"):
            refused(millrace, CORRUPT, stage, "--once", say=(victim.name.strip("0") if how == "missing" else victim.name, "restore"))
    millrace.catch_up()
    exact(millrace, audit)


def test_bronze_schema(millrace, tables, audit, database):
    millrace.catch_up()
    change(database, 1)
    millrace.run("capture", "--once")
    victim = newest((millrace.lake.bronze / "_schemas/shop.public.t").iterdir())
    with damaged(victim, "cut"):
        held_back(millrace, victim.name, "restore")
    resumed(millrace, audit, "shop.public.t")  # its own name is in the schema


@pytest.mark.parametrize("how", ("garbage", "locked"))
def test_catalog(how, millrace, tables, audit, database):
    millrace.catch_up()
    change(database, 1)
    if how == "locked":
        with sqlite3.connect(millrace.lake.catalog_file, isolation_level=None) as db:
            db.execute("BEGIN EXCLUSIVE")
            refused(millrace, AWAY, "silver", "--once", say=("catalog.db", "lock"))
            db.execute("ROLLBACK")
    else:
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                shutil.move(f"{millrace.lake.catalog_file}{end}", f"{millrace.lake.root}/kept{end}")
        millrace.lake.catalog_file.write_bytes(os.urandom(8192))
        refused(millrace, CORRUPT, "silver", "--once", say=("catalog.db",))
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{millrace.lake.root}/kept{end}", f"{millrace.lake.catalog_file}{end}")
    millrace.catch_up()
    exact(millrace, audit)


@pytest.mark.parametrize("how", ("cut", "missing"))
@pytest.mark.parametrize("what", ("metadata", "manifest list", "manifest", "data"))
def test_table_file(what, how, millrace, tables, audit, database):
    millrace.catch_up()
    table = millrace.lake.catalog().load_table("silver.t")
    snapshot = table.current_snapshot()
    manifest = snapshot.manifests(table.io)[0]
    uri = {"metadata": table.metadata_location, "manifest list": snapshot.manifest_list, "manifest": manifest.manifest_path,
           "data": manifest.fetch_manifest_entry(table.io)[0].data_file.file_path}[what]
    victim = pathlib.Path(uri.removeprefix("file://"))
    change(database, 1)
    with damaged(victim, how):
        millrace.run("capture", "--once")
        if what == "metadata":
            refused(millrace, CORRUPT, "silver", "--once", say=(victim.name, "restore"))
        else:
            held_back(millrace, victim.name, "restore")
    if what == "metadata":
        millrace.catch_up()
        exact(millrace, audit)
    else:
        resumed(millrace, audit)


@pytest.fixture
def own_disk(millrace):
    """The lake on a file system of its own, to be remounted."""
    root = millrace.lake.root
    root.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", root], capture_output=True).returncode != 0:
        pytest.skip("mounting a tmpfs needs root")
    yield root
    subprocess.run(["umount", "-l", root], check=True)


def test_read_only_lake(millrace, tables, audit, database, own_disk):
    millrace.catch_up()
    change(database, 1)
    subprocess.run(["mount", "-o", "remount,ro", own_disk], check=True)
    try:
        for stage in ("capture", "silver"):
            refused(millrace, DENIED, stage, "--once", say=(str(own_disk), "ead-only"))
    finally:
        subprocess.run(["mount", "-o", "remount,rw", own_disk], check=True)
    millrace.catch_up()
    exact(millrace, audit)


def test_lake_deleted(millrace, tables, database):
    """The slot is there and Bronze is not: nobody may take that for a first start."""
    millrace.catch_up()
    change(database, 1)
    shutil.rmtree(millrace.lake.root)
    refused(millrace, 64, "capture", "--once", say=(database.slot, "pg_drop_replication_slot"))
    assert not millrace.lake.tables()


def test_bronze_deleted(millrace, tables, database):
    """Silver is further than the Bronze that there is."""
    millrace.catch_up()
    change(database, 1)
    shutil.rmtree(millrace.lake.bronze)
    refused(millrace, 64, "capture", "--once", say=(database.slot,))
    database.execute(f"SELECT pg_drop_replication_slot('{database.slot}')")
    millrace.run("capture", "--once")
    refused(millrace, CORRUPT, "silver", "--once", say=("Bronze was begun anew", "lake.path"))
