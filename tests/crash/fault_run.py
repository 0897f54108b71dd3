"""One run: a workload and a schedule of faults, both from one seed. When the faults are over, every row must be there once, as it was.

What a seed fixes is what is tried and when; the interleaving is the machine's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import pathlib
import random
import re
import struct
import subprocess
import time
from collections.abc import Callable, Iterator

from crash.power_loss import PowerLoss, preload
from harness import compare
from harness.audit import Audit
from harness.bronze import check_bronze
from harness.millrace import Failed, Millrace, Process
from harness.proxy import Proxy
from harness.workload import ALTERED, Workload, connect_again, create

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "src"
KILLED = {-9, 137}
AGAIN = {69, 74, 75}  # docs/guide/operating.md: it can be repeated
DISK = 96 << 20


@functools.cache
def failpoints() -> tuple[str, ...]:
    return tuple(sorted({name for file in SOURCES.rglob("*.cc") if not file.stem.endswith("_test")
                         for name in re.findall(r'MR_FAILPOINT\("([^"]+)"\)', file.read_text())}))


@dataclasses.dataclass
class FaultRun:
    seed: int
    millrace: Millrace
    audit: Audit

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.database = self.millrace.database
        self.process: Process | None = None
        self.next_failpoints = ""
        self.told: list[str] = []
        home = self.millrace.home
        # A power loss takes away what was not synced since the lake was made, so it is watched from the start or not at all.
        self.power = PowerLoss(home) if self.rng.random() < 0.3 else None
        self.clock = home / "clock"
        self.clock.write_bytes(struct.pack("q", 0))
        self.environment = {"CLOCKSTEP": str(self.clock)} | (self.power.environment if self.power else {})
        self.environment["LD_PRELOAD"] = ":".join(filter(None, (str(preload("clockstep", home)), self.environment.get("LD_PRELOAD"))))

    # ---- the faults -------------------------------------------------------------------------------------------------------------

    def killed(self) -> None:
        self.lives(self.rng.choice((0.1, 0.4, 1.2)) * self.rng.uniform(0.3, 1.7))
        self.die()

    def power_lost(self) -> None:
        self.lives(self.rng.uniform(0.3, 1.5))
        self.die()
        self.tell(f"lost {self.power.strike(self.millrace.lake.root)} entries and ends of files")

    def failpoint(self) -> None:
        """The next process dies at a durable step, or meets an error there that it has to live with."""
        name, action = self.rng.choice(failpoints()), self.rng.choice(("kill", "kill", "error", "unknown", "nospace"))
        self.end()
        self.next_failpoints = f"{name}={action}@{self.rng.choice((1, 1, 2, 3, 5))}"
        self.tell(self.next_failpoints)
        self.lives(self.rng.uniform(0.6, 1.6))

    def disk_full(self) -> None:
        """No space before or after the commit file, and where we may mount one, on a small disk that really is full for a while."""
        self.lives(0.3)
        free = os.statvfs(self.millrace.lake.root)
        filler = self.millrace.lake.root / "filler"
        if self.small_disk:
            with contextlib.suppress(OSError), open(filler, "wb") as out:
                os.posix_fallocate(out.fileno(), 0, max(1, free.f_bavail * free.f_frsize - self.rng.choice((0, 4096, 200_000))))
            self.lives(self.rng.uniform(0.5, 1.5))
            filler.unlink()
        else:
            self.end()
            self.next_failpoints = f"commitlog.{self.rng.choice(('before', 'after'))}_append=nospace@{self.rng.randint(1, 3)}"
        self.lives(0.3)

    def server_restarted(self) -> None:
        mode = self.rng.choice(("immediate", "immediate", "kill", "kill", "fast"))
        self.tell(mode)
        self.lives(self.rng.uniform(0.1, 0.8))
        if mode == "fast":  # waits for us to have confirmed all, at most as long as an idle source is not confirmed
            self.end()
        self.database.cluster.restart(mode)
        self.lives(0.5)

    def connection_broken(self) -> None:
        self.lives(self.rng.uniform(0.2, 0.8))
        how = self.rng.choice(("cut", "half_close", "stall", "cut twice"))
        self.tell(how)
        if how == "stall":
            self.proxy.stall()
            self.lives(self.rng.uniform(0.3, 1.5))
            self.proxy.flow()
            if self.rng.random() < 0.5:
                self.proxy.cut()
        elif how == "half_close":
            self.proxy.half_close()
        else:
            self.proxy.cut()
            if how == "cut twice":
                self.lives(self.rng.uniform(0.0, 0.5))
                self.proxy.cut()
        self.lives(0.4)

    def clock_stepped(self) -> None:
        step = self.rng.choice((-3_600, -5, -0.7, -86_400 * 9, 600, 86_400 * 2, 0))
        self.tell(f"{step:+} s")
        self.lives(0.2)
        with open(self.clock, "r+b") as out:  # in place: processes have it mapped
            out.write(struct.pack("q", int(step * 1e6)))
        self.lives(0.6)

    def stopped(self) -> None:
        self.lives(self.rng.uniform(0.2, 1.0))
        self.end()

    def large_transaction(self) -> None:
        rows = self.rng.randint(2_000, 6_000)
        with connect_again(self.database) as c:
            c.execute(f"INSERT INTO orders (external_id, customer_id, customer_name, amount, order_date, created_at, updated_at) "
                      f"SELECT gen_random_uuid(), i, 'large', i, '2025-01-01', now(), now() FROM generate_series(1, {rows}) i")
        self.lives(0.2)

    def new_table(self) -> None:
        name = f"late_{self.rng.randint(1, 10**9)}"
        with connect_again(self.database) as c:
            c.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, a text)")
            c.execute(f"INSERT INTO {name} SELECT i, 'first' FROM generate_series(1, 50) i")
            c.execute(f"UPDATE {name} SET a = 'second' WHERE id % 7 = 0; DELETE FROM {name} WHERE id % 11 = 0")
        self.lives(0.2)

    # ---- the process ------------------------------------------------------------------------------------------------------------

    def lives(self, seconds: float) -> None:
        """`up` runs for that long, started again whenever a fault has ended it."""
        until = time.monotonic() + seconds
        while True:
            if self.process is None:
                self.process = self.millrace.up(self.environment | {"MILLRACE_FAILPOINTS": self.next_failpoints})
                self.next_failpoints = ""
            elif self.process.ended():
                code = self.process.process.returncode
                assert code in KILLED | AGAIN, f"up ended with {code}: {self.process.output()[-3000:]}"
                self.tell(f"ended with {code}")
                self.process.log.close()
                self.process = None
                continue
            if time.monotonic() >= until:
                return
            time.sleep(0.02)

    def die(self) -> None:
        self.lives(0)
        self.process.kill()
        self.process = None

    def end(self) -> None:
        if self.process is not None:
            output = self.process.output
            code = self.process.stop()
            assert code in {0} | KILLED | AGAIN, f"up ended with {code}: {output()[-3000:]}"
            self.process = None

    def tell(self, what: str) -> None:
        self.told.append(what)
        print(f"    {what}", flush=True)

    # ---- the run ----------------------------------------------------------------------------------------------------------------

    def schedule(self) -> list[Callable[[], None]]:
        faults = [self.killed, self.failpoint, self.failpoint, self.disk_full, self.server_restarted, self.connection_broken, self.clock_stepped]
        others = [self.stopped, self.large_transaction, self.new_table]
        chosen = self.rng.sample(faults, 4) + self.rng.sample(others, 2) + ([self.power_lost, self.power_lost] if self.power else [self.killed])
        self.rng.shuffle(chosen)
        return chosen

    def run(self) -> None:
        create(self.database, self.rng, rows=self.rng.choice((0, 60, 300)))
        self.proxy = Proxy(self.database.cluster.port)
        self.millrace.config["source"]["port"] = self.proxy.port
        self._add_gold()
        with contextlib.closing(self.proxy), self._disk():
            try:
                self._faults()
                self._settle()
                self._check()
            finally:
                if self.process is not None and not self.process.ended():
                    self.process.kill()

    def _faults(self) -> None:
        with Workload(self.database, self.rng.getrandbits(32), sessions=2, transactions=60, pause=0.03):
            for fault in self.schedule():
                self.tell(f"{fault.__name__}")
                fault()

    def _settle(self) -> None:
        """No more faults: all that is committed is published, and a stop is in good order."""
        self.end()
        self.next_failpoints = ""
        self.database.execute("INSERT INTO clicks VALUES ('the last one')")
        with self.millrace.up(self.environment) as process:
            self.millrace.wait_published(self.audit.last_commit(), process)
            assert process.stop() == 0, process.output()[-3000:]
        self.millrace.catch_up(self.environment)  # tables that came last, too

    def _check(self) -> None:
        tables = compare.tables_of(self.audit)
        assert len(tables) >= 8
        for table in tables:
            if table.name.startswith("public.late_") or table.name in ALTERED:
                compare.check_or_read_again(self.audit, self.millrace.lake, table)
            else:
                compare.check(self.audit, self.millrace.lake, [table])
        assert check_bronze(self.millrace.lake) > 0
        self.millrace.run("bronze", environment=self.environment)
        rows = self.millrace.lake.read("gold.statuses").to_pylist()
        assert {r["status"]: r["n"] for r in rows} == dict(self.database.query("SELECT status::text, count(*) FROM orders GROUP BY 1"))

    def _add_gold(self) -> None:
        directory = self.millrace.home / "gold"
        directory.mkdir()
        (directory / "statuses.sql").write_text("-- grain: one row a status\n-- partition: status\n-- inputs: silver.orders\n"
                                                "-- touched: silver.orders => status\n"
                                                "SELECT status, count(*) AS n FROM silver.orders WHERE is_current GROUP BY status\n")
        self.millrace.config["gold"] = {"sql": "gold", "interval": "400ms", "memory_limit": "128MiB"}
        self.millrace.config["silver"]["retention"] = {"snapshots": self.rng.choice((1, 5, 100)), "hours": 0}
        self.millrace.write_config()

    @contextlib.contextmanager
    def _disk(self) -> Iterator[None]:
        """The lake on a file system of its own where we may mount one."""
        root = self.millrace.lake.root
        root.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", root]
        self.small_disk = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
        try:
            yield
        finally:
            if self.small_disk:
                subprocess.run(["umount", "-l", root], check=True)
