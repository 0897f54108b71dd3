"""The stopwatch: whole processes, in turn, with the operating system's own accounting."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import statistics
import subprocess
import time
from collections.abc import Callable


@dataclasses.dataclass
class Run:
    wall_s: float
    cpu_s: float
    peak_mb: float


def timed(command: list, *, environment: dict[str, str] | None = None, log: pathlib.Path | None = None) -> Run:
    """Runs a command to its end, output thrown away or appended to `log`; fails when the command does."""
    with open(log, "ab") if log else open(os.devnull, "wb") as out:
        begin = time.monotonic()
        process = subprocess.Popen([str(c) for c in command], env=environment, stdout=out, stderr=out)
        # ru_maxrss would count what this process had before exec; VmHWM counts the program alone.
        peak = 0
        while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            peak = max(peak, peak_memory(process.pid))
            time.sleep(0.005)
        wall = time.monotonic() - begin
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        tail = log.read_text(errors="replace")[-2000:] if log else ""
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {process.returncode}: {tail}")
    return Run(wall, usage.ru_utime + usage.ru_stime, peak / 1e6)


def peak_memory(pid: int) -> int:
    """VmHWM in bytes; 0 when the process is gone."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def in_turn(count: int, *contenders: Callable[[int], Run]) -> list[list[Run]]:
    """`count` runs of each, A B A B, so that a change of the machine's speed meets both."""
    results: list[list[Run]] = [[] for _ in contenders]
    for i in range(count):
        for runs, contender in zip(results, contenders):
            runs.append(contender(i))
    return results


def median_wall(runs: list[Run]) -> float:
    return statistics.median(r.wall_s for r in runs)
