"""Runs the binary: its configuration, its subcommands, and `up` as a process that can be killed."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess

import yaml

from harness.lake import Lake
from harness.postgres import Database, wait_until


class Failed(Exception):
    def __init__(self, command: list[str], code: int, output: str):
        super().__init__(f"`{' '.join(command)}` ended with {code}:\n{output[-3000:]}")
        self.code, self.output = code, output


class Millrace:
    """One installation: a directory with millrace.yaml and a lake."""

    def __init__(self, binary: pathlib.Path, home: pathlib.Path, database: Database, *, config: dict | None = None):
        self.binary, self.home, self.database = binary, home, database
        home.mkdir(parents=True, exist_ok=True)
        self.lake = Lake(home / "lake")
        self.config_file = home / "millrace.yaml"
        self.log_file = home / "millrace.log"
        self.config = merged({
            "source": {
                "host": "127.0.0.1", "port": database.cluster.port, "database": database.name, "user": database.cluster.user,
                "password": "${env:PGPASSWORD}", "name": "shop", "slot": database.slot, "publication": database.publication,
                "tables": {"include": ["public.*"]},
            },
            "lake": {"path": str(self.lake.root)},
            "bronze": {"commit_interval": "100ms"},
            "silver": {"interval": "200ms"},
        }, config or {})
        self.environment = os.environ | {"PGPASSWORD": database.cluster.password}
        self.environment.pop("MILLRACE_FAILPOINTS", None)
        self.write_config()

    def write_config(self) -> None:
        self.config_file.write_text(yaml.safe_dump(self.config, sort_keys=False))

    def command(self, *arguments: str) -> list[str]:
        return [str(self.binary), "--config", str(self.config_file), *arguments]

    def run(self, *arguments: str, environment: dict[str, str] | None = None, timeout: float = 300) -> str:
        """Runs a subcommand to its end; Failed when it does not return 0."""
        command = self.command(*arguments)
        done = subprocess.run(command, env=self.environment | (environment or {}), text=True, capture_output=True, timeout=timeout,
                              cwd=self.home)
        with open(self.log_file, "a") as log:
            log.write(f"$ {' '.join(arguments)}\n{done.stderr}")
        if done.returncode != 0:
            raise Failed(command, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def catch_up(self, environment: dict[str, str] | None = None) -> None:
        """Carries everything that is committed in the source now into Bronze and Silver, and Gold where it is configured."""
        self.run("capture", "--once", environment=environment)
        self.run("silver", "--once", environment=environment)
        if "gold" in self.config:
            self.run("gold", "--once", environment=environment)

    def status(self) -> dict:
        return json.loads(self.run("status", "--json"))

    def query(self, sql: str, *options: str) -> str:
        return self.run("query", *options, sql)

    def up(self, environment: dict[str, str] | None = None) -> Process:
        return Process(self, "up", environment=environment)

    def published_lsn(self) -> int:
        """The commit LSN of the newest cut, as PyIceberg reads it; 0 before the first."""
        try:
            cuts = self.lake.cuts()
        except FileNotFoundError:
            return 0
        if not cuts:
            return 0
        value = cuts[-1]["commit_lsn"]
        if isinstance(value, str):
            high, low = value.split("/")
            value = int(high, 16) << 32 | int(low, 16)
        return value

    def wait_published(self, lsn: int, process: Process | None = None, seconds: float = 90) -> None:
        """Until a cut reaches `lsn`; fails at once when `process` ends."""
        def reached() -> bool:
            if process is not None and process.ended():
                raise Failed(process.command, process.process.returncode, process.output())
            return self.published_lsn() >= lsn
        wait_until(reached, seconds, f"no cut reached {lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}; newest is {self.published_lsn():#x}; "
                                     f"log: {self.log_file}", pause=0.2)


class Process:
    """A subcommand that goes on running."""

    def __init__(self, millrace: Millrace, *arguments: str, environment: dict[str, str] | None = None):
        self.command = millrace.command(*arguments)
        self.log_file = millrace.log_file
        self.log = open(self.log_file, "ab")
        self.log.write(f"$ {' '.join(arguments)}\n".encode())
        self.log.flush()
        self.start_of_log = self.log.tell()
        self.process = subprocess.Popen(self.command, env=millrace.environment | (environment or {}), stdout=self.log, stderr=self.log,
                                        cwd=millrace.home)

    @property
    def pid(self) -> int:
        return self.process.pid

    def ended(self) -> bool:
        return self.process.poll() is not None

    def output(self) -> str:
        with open(self.log_file, "rb") as log:
            log.seek(self.start_of_log)
            return log.read().decode(errors="replace")

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()
        self.log.close()

    def stop(self, seconds: float = 60) -> int:
        """SIGTERM, as an init system stops it; returns the exit code."""
        if not self.ended():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.log.close()

    def wait(self, seconds: float) -> int:
        code = self.process.wait(seconds)
        self.log.close()
        return code

    def peak_memory(self) -> int:
        """VmHWM in bytes."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise ProcessLookupError(self.pid)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_) -> None:
        if not self.ended():
            self.kill()
        elif not self.log.closed:
            self.log.close()


def merged(base: dict, more: dict) -> dict:
    """`more` over `base`; a None takes a key away."""
    result = dict(base)
    for key, value in more.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result
