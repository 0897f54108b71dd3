#!/usr/bin/env python3
"""A real PostgreSQL with real retail data, the whole pipeline, Gold's numbers, and the proof. `make demo` runs it."""
import argparse
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "demo"))

import load  # noqa: E402
import postgres  # noqa: E402
import verify  # noqa: E402
import workload  # noqa: E402

CONFIG = """source:
  host: 127.0.0.1
  port: {port}
  database: shop
  user: postgres
  password: ${{env:MILLRACE_DEMO_PASSWORD}}
  tables:
    include: [shop.*]
lake:
  path: lake
gold:
  sql: {sql}
  interval: 2s
"""
GOLD = ROOT / "config/gold"
STARTED = time.monotonic()


def say(text=""):
    print(text, flush=True)


def step(text):
    say(f"\n[{time.monotonic() - STARTED:6.1f} s] {text}")


class Millrace:
    def __init__(self, binary, home, password):
        self.binary = str(pathlib.Path(binary).resolve())
        self.home = home
        self.environment = os.environ | {"MILLRACE_DEMO_PASSWORD": password}
        self.process = None
        self.log = home / "up.log"

    def command(self, *arguments):
        return [self.binary, *arguments, "--config", str(self.home / "millrace.yaml")]

    def gold_lines(self):
        """What the log says of refreshed tables: whole ones at first, then only the months that were touched."""
        return [line.split("gold: ", 1)[1] for line in self.log.read_text().splitlines() if " partition(s)" in line]

    def run(self, *arguments):
        done = subprocess.run(self.command(*arguments), env=self.environment, capture_output=True, text=True)
        with open(self.log, "a") as log:
            log.write(done.stderr)
        if done.returncode != 0:
            raise SystemExit(f"demo: millrace {arguments[0]} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self):
        self.process = subprocess.Popen(self.command("up"), env=self.environment, stdout=open(self.log, "w"), stderr=subprocess.STDOUT)

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.process = None
        if code != 0:
            raise SystemExit(f"demo: millrace up ended with {code}; the end of {self.log}:\n" + self.log_end())

    def log_end(self):
        return "".join(self.log.read_text().splitlines(keepends=True)[-20:])

    def wait(self, what, reached, timeout=600):
        """Polls `millrace status` until reached(status)."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise SystemExit(f"demo: millrace up ended with {self.process.returncode}; the end of {self.log}:\n" + self.log_end())
            done = subprocess.run(self.command("status", "--json"), env=self.environment, capture_output=True, text=True)
            # Before the first commit there is nothing to tell.
            status = json.loads(done.stdout) if done.returncode == 0 else None
            if status is not None and reached(status):
                return status
            time.sleep(0.2)
        raise SystemExit(f"demo: {what} did not happen within {timeout} s; see {self.log}")


def lsn(text):
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def caught_up(target):
    def reached(status):
        bronze, silver = status["bronze"], status["silver"]
        return (bronze["snapshot"] == "done" and bronze["resume_lsn"] is not None and lsn(bronze["resume_lsn"]) >= target and
                silver["cut"] > 0 and silver["pending_records"] == 0)
    return reached


def current_lsn(connection):
    return lsn(connection.execute("SELECT pg_current_wal_flush_lsn()").fetchone()[0])


def play(cluster, millrace, home):
    step("PostgreSQL of the demo's own, on 127.0.0.1")
    cluster.create()
    cluster.start()
    with cluster.connect("postgres") as connection:
        connection.execute("CREATE DATABASE shop")
    with cluster.connect() as connection:
        for table, rows in load.load(connection, home).items():
            say(f"  shop.{table:<15}{rows:>10,} rows")
        before = current_lsn(connection)
    (home / "millrace.yaml").write_text(CONFIG.format(port=cluster.port, sql=GOLD))

    step("millrace up: snapshot of the database, then its changes")
    millrace.start()
    millrace.wait("the snapshot", caught_up(before))
    step("the snapshot is in Silver; now the shop works: several sessions, rollbacks, schema changes, one big transaction")
    shop = workload.Workload(cluster.connect, lambda text: say("  " + text))
    seconds = shop.run()
    say("  " + ", ".join(f"{count:,} {what}" for what, count in sorted(shop.counts.items())))
    with cluster.connect() as connection:
        target = current_lsn(connection)
        # One more transaction: when it is in, all before it is. (An idle source is noted every ten seconds only.)
        connection.execute("UPDATE shop.households SET updated_at = now() WHERE household_id = 1")
    step(f"the shop worked for {seconds:.1f} s; waiting for Silver")
    millrace.wait("catching up", caught_up(target))
    millrace.stop()
    millrace.run("gold", "--once")
    step("caught up and stopped; what Gold did meanwhile:")
    for line in millrace.gold_lines():
        say("  " + line)
    say()
    say(millrace.run("status").rstrip())


def show(cluster, millrace):
    step("Gold: daily_sales, the last days")
    say(millrace.run("query", "SELECT day, baskets, items, units, gross_sales, discounts, net_sales, CAST(avg_basket AS DECIMAL(10,2)) AS "
                              "avg_basket FROM (SELECT * FROM gold.daily_sales ORDER BY day DESC LIMIT 7) AS newest ORDER BY day").rstrip())
    say("\nGold: departments of the last day")
    say(millrace.run("query", "SELECT department, products, items, units, net_sales, discounts FROM gold.daily_department_sales WHERE day = "
                              "(SELECT max(day) FROM gold.daily_department_sales) ORDER BY net_sales DESC LIMIT 5").rstrip())
    say("\nGold: one product's prices")
    say(millrace.run("query", "SELECT product_id, list_price, previous_price, CAST(change_percent AS DECIMAL(9,1)) AS percent, valid_from, valid_to FROM "
                              "gold.product_price_history WHERE product_id = (SELECT product_id FROM gold.product_price_history GROUP BY "
                              "product_id ORDER BY count(*) DESC, product_id LIMIT 1) ORDER BY valid_from").rstrip())
    with cluster.connect() as connection:
        household = connection.execute("SELECT household_id FROM shop.households WHERE loyalty_tier IS NOT NULL AND city = 'Toledo' "
                                       "ORDER BY 1 LIMIT 1").fetchone()[0]
    step(f"the history of household {household}: millrace history shop.households {household}")
    say(millrace.run("history", "shop.households", str(household)).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default=str(ROOT / "build/release/bin/millrace"), help="the millrace binary")
    parser.add_argument("--dir", default=str(ROOT / ".demo"), help="where everything is made; emptied first")
    parser.add_argument("--keep", action="store_true", help="leave PostgreSQL running at the end, with its data")
    options = parser.parse_args()
    home = pathlib.Path(options.dir)
    place = postgres.home_for(home)
    for old in (home / "lake", home / "millrace.yaml", place / "pg"):
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink(missing_ok=True)

    password = secrets.token_hex(16)
    cluster = postgres.Cluster(place / "pg", password)
    millrace = Millrace(options.bin, home, password)
    try:
        play(cluster, millrace, home)
        show(cluster, millrace)
        step("is it true? Every current Silver row, and Gold, against PostgreSQL; the lake is read by PyIceberg:")
        with cluster.connect() as connection:
            equal = verify.verify_silver(connection, home / "lake", say)
            equal = verify.verify_gold(connection, home / "lake", GOLD, say) and equal
    finally:
        if millrace.process is not None and millrace.process.poll() is None:
            millrace.process.terminate()
            millrace.process.wait(timeout=60)
        if options.keep and cluster.port is not None:
            say(f"\nPostgreSQL still runs: psql -h {cluster.directory} -p {cluster.port} -U postgres shop\n"
                f"Stop it with: {' '.join(postgres.as_server_user([cluster.bin + '/pg_ctl', '-D', str(cluster.directory), 'stop']))}")
        else:
            cluster.remove()
    say(f"\n{'All tables are equal.' if equal else 'NOT EQUAL.'} The whole demo took {time.monotonic() - STARTED:.0f} s; it lies in {home}.")
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
