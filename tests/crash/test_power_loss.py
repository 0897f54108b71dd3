"""A power loss at a bad moment: everything that PostgreSQL was told it may forget, and everything published, is still there."""

import os
import random
import subprocess
import sys
import time

from crash.power_loss import PowerLoss
from harness import compare
from harness.bronze import check_bronze
from harness.millrace import Millrace
from harness.workload import Workload, create


def check_power_loss(millrace: Millrace, audit, seed: int) -> None:
    rng = random.Random(seed)
    power = PowerLoss(millrace.home)
    create(millrace.database, rng, rows=40)
    with Workload(millrace.database, seed, sessions=2, transactions=60, pause=0.02, ddl=False):
        for _ in range(3):
            with millrace.up(environment=power.environment) as process:
                time.sleep(rng.uniform(0.8, 1.6))
                assert not process.ended(), process.output()
                process.kill()
            power.strike(millrace.lake.root)
    millrace.catch_up(power.environment)
    power.strike(millrace.lake.root)
    millrace.catch_up()
    compare.check(audit, millrace.lake, compare.tables_of(audit))
    check_bronze(millrace.lake)


def test_power_loss(millrace, audit):
    check_power_loss(millrace, audit, 1)
    assert millrace.lake.commits()


_WRITER = """
import os, sys
root = sys.argv[1]
def put(name, sync_file, sync_directory):
    path = os.path.join(root, name)
    fd = os.open(path + ".tmp", os.O_CREAT | os.O_WRONLY)
    os.write(fd, b"x" * 10)
    if sync_file:
        os.fsync(fd)
    os.link(path + ".tmp", path)
    os.unlink(path + ".tmp")
    if sync_directory:
        directory = os.open(root, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
put("whole", True, True)
put("no_bytes", False, True)
put("no_name", True, False)
"""


def test_power_loss_takes_what_was_not_synced(tmp_path):
    root = tmp_path / "lake"
    root.mkdir()
    power = PowerLoss(tmp_path)
    subprocess.run([sys.executable, "-c", _WRITER, root], env=os.environ | power.environment, check=True)
    assert {p.name: p.stat().st_size for p in root.iterdir()} == {"whole": 10, "no_bytes": 10, "no_name": 10}
    assert power.strike(root) == (1, 1)
    assert {p.name: p.stat().st_size for p in root.iterdir()} == {"whole": 10, "no_bytes": 0}
