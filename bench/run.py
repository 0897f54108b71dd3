"""`make bench`: every measure, one line each. See README.md."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import platform
import shutil
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests")]

import capture  # noqa: E402
import lakehouse  # noqa: E402
import live  # noqa: E402
from harness.postgres import Cluster  # noqa: E402


def _plain(value):
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else str(value)


class Report:
    def __init__(self, directory: pathlib.Path):
        self.directory, self.missed = directory, 0
        directory.mkdir(parents=True, exist_ok=True)

    def __call__(self, name: str, value: float, unit: str, goal: float, at_least: bool, figures: dict) -> None:
        """`at_least`: whether more is better. A goal of 0 is none: the figure is for the record."""
        met = value >= goal if at_least else value <= goal
        self.missed += not met
        (self.directory / f"{name}.json").write_text(json.dumps(
            {"name": name, "value": value, "unit": unit, "goal": goal, "better": "more" if at_least else "less", "met": met,
             "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cpus": os.cpu_count(), "machine": platform.platform(),
             "figures": figures}, default=_plain, indent=1) + "\n")
        print(f"bench {name} {value:.3g} {unit} goal {goal:.3g} {'met' if met else 'missed'}" if value < 1000 else
              f"bench {name} {value:.0f} {unit} goal {goal:.4g} {'met' if met else 'missed'}", flush=True)


def main() -> int:
    measures = {
        "snapshot": capture.snapshot, "drain_orders": capture.drain_orders, "drain_tpcb": capture.drain_tpcb,
        "merge": None, "live": live.latency, "steady": None,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", default=ROOT / "build/release/bin/millrace", type=pathlib.Path, help="the millrace binary")
    parser.add_argument("--only", action="append", choices=measures, help="measure only this; may be repeated")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows and two runs: says whether it runs, not how fast")
    parser.add_argument("--runs", type=int, default=5, help="runs of each measure")
    parser.add_argument("--minutes", type=float, default=30, help="how long `steady` runs")
    parser.add_argument("--spark", action="store_true", help="measure Spark's MERGE here too (brings PySpark, about 450 MB)")
    options = parser.parse_args()
    report = Report(ROOT / "build/bench")
    work = pathlib.Path(tempfile.mkdtemp(prefix="millrace-bench-"))
    # As in production: durable. Large enough for what is measured not to be checkpoints.
    cluster = Cluster(durable=True, settings={"shared_buffers": "'1GB'", "max_wal_size": "'16GB'", "checkpoint_timeout": "'30min'",
                                               "logical_decoding_work_mem": "'64MB'"})
    setting = capture.Setting(options.bin.resolve(), cluster, work, 2 if options.quick else options.runs, 10 if options.quick else 1, report)
    measures["steady"] = lambda s: live.steady(s, options.minutes)
    measures["merge"] = lambda s: lakehouse.merge_and_gold(s, options.spark)
    failed = []
    try:
        for name in options.only or [m for m in measures if m != "steady"]:
            try:
                measures[name](setting)
            except Exception:
                failed.append(name)
                traceback.print_exc()
                print(f"bench {name} failed", flush=True)
    finally:
        cluster.destroy()
        shutil.rmtree(work, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
