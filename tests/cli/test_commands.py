"""Every command once against a real database, as a person would use them."""

from __future__ import annotations

import json
import signal
import time

import pytest

from harness.millrace import Failed, Millrace
from harness.postgres import wait_until

SCHEMA = """
CREATE TABLE orders (id int PRIMARY KEY, status text NOT NULL, total numeric(12,2));
CREATE TABLE lines (order_id int, n int, sku text, PRIMARY KEY (order_id, n));
INSERT INTO orders VALUES (1, 'new', 10.50), (2, 'new', NULL);
INSERT INTO lines VALUES (1, 1, 'a,b'), (1, 2, 'c"d');
"""

GOLD = """-- gold: by_status
-- grain: one row a status
-- inputs: silver.orders
SELECT status, count(*) AS orders FROM silver.orders WHERE is_current GROUP BY status
"""


@pytest.fixture
def shop(millrace: Millrace) -> Millrace:
    millrace.database.execute(SCHEMA)
    (millrace.home / "kpi").mkdir()
    (millrace.home / "kpi/by_status.sql").write_text(GOLD)
    millrace.config["gold"] = {"sql": "kpi", "interval": "200ms"}
    millrace.write_config()
    return millrace


def changed(shop: Millrace) -> None:
    shop.catch_up()
    shop.database.execute("UPDATE orders SET status = 'paid' WHERE id = 1; DELETE FROM orders WHERE id = 2")
    shop.catch_up()


def test_query_formats(shop):
    changed(shop)
    assert shop.query("SELECT id, status, total FROM silver.orders WHERE is_current") == (
        " id | status | total\n----+--------+-------\n  1 | paid   | 10.50\n(1 row)\n")
    assert shop.query("SELECT sku, NULL AS x, '' AS y FROM silver.lines ORDER BY n", "--format", "csv") == (
        'sku,x,y\n"a,b",,""\n"c""d",,""\n')
    rows = [json.loads(line) for line in shop.query("SELECT * FROM gold.by_status", "--format", "json").splitlines()]
    assert rows == [{"status": "paid", "orders": 1}]
    assert shop.query("SELECT count(*) AS n FROM _millrace.cuts", "--format", "csv") == "n\n2\n"
    with pytest.raises(Failed, match="nope") as failed:
        shop.query("SELECT nope FROM silver.orders")
    assert failed.value.code == 64


def test_query_reads_no_other_files(shop):
    changed(shop)
    (shop.home / "secret.csv").write_text("a\n1\n")
    with pytest.raises(Failed):
        shop.query(f"SELECT * FROM read_csv('{shop.home}/secret.csv')")


def test_history(shop):
    changed(shop)
    text = shop.run("history", "public.orders", "1")
    assert text.startswith("public.orders id=1: 2 versions\n")
    assert "  status: new -> paid\n" in text and "to now (update)" in text
    assert "deleted at" in shop.run("history", "orders", "id=2")
    versions = json.loads(shop.run("history", "silver.orders", "1", "--json"))
    assert [(v["version"], v["status"], v["is_current"]) for v in versions] == [(1, "new", False), (2, "paid", True)]
    assert "sku: c\"d" in shop.run("history", "lines", "n=2,order_id=1") == shop.run("history", "lines", "1,2")
    for arguments, code, said in ((("lines", "1"), 64, "write order_id=...,n=..."), (("orders", "99"), 66, "never had a row"),
                                  (("orders", "x"), 64, "is no key of public.orders"), (("nope", "1"), 66, "millrace tables")):
        with pytest.raises(Failed, match=said) as failed:
            shop.run("history", *arguments)
        assert failed.value.code == code


def test_status_and_tables(shop):
    changed(shop)
    status = shop.status()
    assert status["source"]["error"] is None and status["source"]["lag_bytes"] >= 0
    assert status["bronze"]["snapshot"] == "done" and status["bronze"]["writer"] is None
    assert status["silver"]["cut"] == 2 and status["silver"]["held_back"] == []
    assert {t["table"]: (t["current"], t["rows"]) for t in status["silver"]["tables"]} == {"silver.lines": (2, 2), "silver.orders": (1, 3)}
    assert [t["table"] for t in status["gold"]["tables"]] == ["gold.by_status"]
    text = shop.run("status")
    assert "silver.orders" in text and "nobody writes it now" in text
    tables = {t["table"]: t for t in json.loads(shop.run("tables", "--json"))}
    assert set(tables) == {"silver.lines", "silver.orders", "gold.by_status"}
    assert tables["silver.orders"]["metadata_location"] == shop.lake.metadata_location("silver.orders")
    assert "gold.by_status" in shop.run("tables")


def test_status_without_the_source_says_so_and_the_rest(shop):
    changed(shop)
    shop.config["source"]["port"] = 1
    shop.write_config()
    status = shop.status()
    assert status["source"]["error"] and status["source"]["lag_bytes"] is None
    assert status["silver"]["cut"] == 2
    assert "cannot be asked" in shop.run("status")


def test_check_source(shop):
    assert "is ready to be captured" in shop.run("check-source")
    shop.run("check-source", "--fix")
    assert shop.database.value("SELECT count(*) FROM pg_publication WHERE pubname = %s", shop.database.publication) == 1


def test_bronze_checks_the_log(shop):
    changed(shop)
    assert "all as committed" in shop.run("bronze", "--once")
    file = next(shop.lake.bronze.rglob("*.jsonl.zst"))
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(Failed, match="checksum") as failed:
        shop.run("bronze")
    assert failed.value.code == 65


def test_up_runs_everything_and_stops_cleanly(shop):
    with shop.up() as up:
        wait_until(lambda: "gold.by_status" in shop.lake.tables(), 60, "no Gold table")
        for command in ("up", "capture", "silver", "gold"):
            with pytest.raises(Failed, match=f"written by `millrace up` .process {up.pid}.") as failed:
                shop.run(command, *(["--once"] if command != "up" else []))
            assert failed.value.code == 70
        assert shop.status()["silver"]["writer"] == f"`millrace up` (process {up.pid})"
        shop.database.execute("UPDATE orders SET status = 'paid'")
        wait_until(lambda: shop.query("SELECT status, orders FROM gold.by_status", "--format", "csv") == "status,orders\npaid,2\n", 30,
                   "Gold did not follow")
        started = time.monotonic()
        assert up.stop() == 0
        assert time.monotonic() - started < 5
    assert shop.status()["silver"]["writer"] is None


def test_up_goes_on_while_the_source_is_away(shop):
    shop.catch_up()
    shop.config["source"]["port"] = 1
    shop.write_config()
    with shop.up() as up:
        wait_until(lambda: "next attempt in" in up.output(), 30, "no word of a retry")
        assert not up.ended()
        assert up.stop() == 0


def test_up_ends_with_the_exit_code_of_a_final_error(shop):
    shop.catch_up()
    shop.database.execute(f"SELECT pg_drop_replication_slot('{shop.database.slot}')")
    with shop.up() as up:
        assert up.wait(30) == 70
        assert "stopping the other stages" in up.output() and shop.database.slot in up.output()


def test_a_broken_gold_file_stops_the_start_and_later_only_its_table(shop):
    broken = shop.home / "kpi/broken.sql"
    broken.write_text("SELECT 1\n")
    with shop.up() as up:
        assert up.wait(30) == 64
        assert "broken.sql" in up.output()
    broken.unlink()
    with shop.up() as up:
        wait_until(lambda: "gold.by_status" in shop.lake.tables(), 60, "no Gold table")
        broken.write_text("SELECT 1\n")
        wait_until(lambda: "broken.sql" in up.output(), 30, "nothing is said about the broken file")
        assert not up.ended()
        assert up.stop() == 0


def test_a_second_signal_ends_it_at_once(shop):
    with shop.up() as up:
        wait_until(lambda: shop.published_lsn() > 0, 60, "nothing published")
        up.process.send_signal(signal.SIGINT)
        up.process.send_signal(signal.SIGINT)
        assert up.wait(5) in (0, 130)  # 0: it was done before the second one


def test_a_table_that_is_held_back_is_told_and_the_others_go_on(shop):
    shop.catch_up()
    shop.database.execute("ALTER TABLE lines ALTER sku TYPE int USING 1; UPDATE lines SET sku = 2 WHERE n = 1; UPDATE orders SET status = 'paid'")
    shop.catch_up()
    (held,) = shop.status()["silver"]["held_back"]
    assert held["table"] == "public.lines" and "sku" in held["reason"]
    assert "held back: " in shop.run("status")
    assert shop.query("SELECT DISTINCT status FROM silver.orders WHERE is_current", "--format", "csv") == "status\npaid\n"
    with pytest.raises(Failed, match="stays held back"):
        shop.run("silver", "--once", "--resume", "public.lines")
    with pytest.raises(Failed, match="'public.orders' is not held back") as failed:
        shop.run("silver", "--once", "--resume", "public.orders")
    assert failed.value.code == 66

    # The cure that `reason` names: begin anew at the change, and have every row sent again.
    shop.lake.catalog().drop_table("silver.lines")
    shop.run("silver", "--once", "--resume", "public.lines")
    assert shop.status()["silver"]["held_back"] == []
    shop.database.execute("UPDATE lines SET sku = sku")
    shop.catch_up()
    assert shop.query("SELECT n, sku FROM silver.lines WHERE is_current ORDER BY n", "--format", "csv") == "n,sku\n1,2\n2,1\n"
