"""The initial snapshot under kill -9: it goes on with what is left, whatever the sessions did meanwhile, and nothing is lost or doubled."""

import random
import threading
import time

import pytest

from harness import compare
from harness.bronze import check_bronze

_TABLES = """
    CREATE TABLE orders (id int PRIMARY KEY, n int, pad text, big text);
    ALTER TABLE orders ALTER big SET STORAGE EXTERNAL;
    CREATE TABLE bag (v int, pad text);
    ALTER TABLE bag REPLICA IDENTITY FULL;
    CREATE TABLE parts (id int, part int, pad text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
    CREATE TABLE small (id int PRIMARY KEY);
    INSERT INTO small VALUES (1), (2);
    INSERT INTO orders SELECT i, 0, repeat('p', 300), CASE WHEN i % 10 = 0 THEN repeat(md5(i::text), 80) END FROM generate_series(1, 6000) i;
    INSERT INTO bag SELECT i % 50, repeat('b', 300) FROM generate_series(1, 2500) i;
    INSERT INTO parts SELECT i, 1 + i % 2, repeat('q', 300) FROM generate_series(1, 3000) i;"""


@pytest.fixture
def slow(millrace):
    """Small steps, a commit after each of them, and time enough to be killed in between."""
    millrace.config["source"]["snapshot"] = {"chunk_bytes": "64KiB", "bytes_per_second": "6MiB"}
    millrace.config["bronze"] |= {"commit_bytes": "64KiB", "commit_interval": "10ms"}
    millrace.write_config()
    return millrace


def _change(connection, rng: random.Random) -> None:
    i = rng.randrange(1, 6000)
    connection.execute(rng.choice((
        f"UPDATE orders SET n = n + 1 WHERE id BETWEEN {i} AND {i + 9}",
        f"UPDATE orders SET big = repeat('n', 3000 + {i}) WHERE id = {i}",
        f"UPDATE orders SET id = id + 100000 WHERE id = {i // 10 * 10}",
        f"DELETE FROM orders WHERE id BETWEEN {i} AND {i + 4}",
        f"INSERT INTO orders VALUES ({i}, -1, 'again', repeat('a', 2500)) ON CONFLICT DO NOTHING",
        f"UPDATE bag SET v = v + 1 WHERE ctid = (SELECT ctid FROM bag OFFSET {i // 6} LIMIT 1)",
        f"DELETE FROM bag WHERE ctid = (SELECT ctid FROM bag OFFSET {i // 6} LIMIT 1)",
        f"INSERT INTO bag VALUES ({i % 50}, repeat('b', 300))",
        f"UPDATE parts SET part = 3 - part WHERE id = {i // 2}",
        f"DELETE FROM parts WHERE id = {i // 2}",
        f"INSERT INTO small VALUES ({i}) ON CONFLICT DO NOTHING")))


def _snapshot_state(millrace) -> str:
    return millrace.lake.commits()[-1]["snapshot"]


@pytest.mark.parametrize("number", range(3))
def test_kill_during_the_snapshot(number, slow, audit, database):
    rng = random.Random(number)
    database.execute(_TABLES)
    stop = threading.Event()

    def write() -> None:
        with database.connect() as c:
            while not stop.wait(0.004):
                _change(c, rng)

    def ddl() -> None:
        time.sleep(1)
        for statement in ("ALTER TABLE orders ADD COLUMN extra int", "ALTER TABLE parts RENAME COLUMN pad TO stuff",
                          "ALTER TABLE small ADD COLUMN t text", "TRUNCATE small", "ALTER TABLE orders ALTER n TYPE bigint"):
            database.execute(f"SET lock_timeout = '20s'; {statement}")
            if stop.wait(0.5):
                return

    writers = [threading.Thread(target=write), *([threading.Thread(target=ddl)] if number else [])]
    for writer in writers:
        writer.start()
    points = 0
    try:
        for _ in range(12):
            with slow.up() as process:
                time.sleep(rng.uniform(0.3, 1.0))
                assert not process.ended(), process.output()
                process.kill()
            if points := len({part["point"] for c in slow.lake.commits() for part in c.get("snapshot_ranges", ())}):
                if _snapshot_state(slow) == "done":
                    break
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    slow.config["source"]["snapshot"]["bytes_per_second"] = "0"
    slow.write_config()
    slow.catch_up()
    assert points > 1, "no kill came between two commits of the snapshot"
    assert compare.check(audit, slow.lake, compare.tables_of(audit), engines=("pyiceberg",)) > 5000
    check_bronze(slow.lake)


def test_what_was_read_is_not_read_again(slow, audit, database):
    """Silver shows nothing of a snapshot that is not whole."""
    database.execute(_TABLES)
    with slow.up({"MILLRACE_FAILPOINTS": "bronze.after_commit=kill@12"}) as process:
        assert process.wait(60) == 137
    assert _snapshot_state(slow) == "running"
    read = sum(f["records"] for c in slow.lake.commits() for f in c["files"])
    assert read > 1000
    slow.run("silver", "--once")
    assert not [t for t in slow.lake.tables() if t.startswith("silver.")]
    slow.catch_up()
    again = sum(f["records"] for c in slow.lake.commits() for f in c["files"]) - read
    assert again < 11_502 - read + 2500 + 1500, "all of it"  # bag begins anew, and some steps were under way
    compare.check(audit, slow.lake, compare.tables_of(audit), engines=("pyiceberg",))
