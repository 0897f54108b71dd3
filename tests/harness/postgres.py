"""A real PostgreSQL of the tests' own: a cluster in a temporary directory, on a free port of 127.0.0.1.

PostgreSQL refuses to run as root, so as root the server runs as user `postgres`; otherwise as whoever runs the tests. One cluster
serves a whole session; each test gets a database of its own, and slot names made from the database's name, because slots are
cluster-wide.
"""

from __future__ import annotations

import atexit
import contextlib
import glob
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

import psycopg

PASSWORD = "millrace-tests"

# Session settings under which every value's text form is compared, and without the timeouts that a test may set for its database.
TEXT_SETTINGS = "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c timezone=UTC -c datestyle=ISO,MDY -c intervalstyle=postgres -c bytea_output=hex -c extra_float_digits=1 -c lc_monetary=C"


class NoServer(FileNotFoundError):
    """PostgreSQL of the version that was asked for is not on this machine."""


def binaries(version: str | None = None) -> pathlib.Path:
    """PostgreSQL's server programs of a major version: Debian's, or what scripts/postgres_versions.sh brought. Without one those on the
    PATH, or Debian's newest."""
    if version is None and (found := shutil.which("initdb")):
        return pathlib.Path(os.path.realpath(found)).parent
    brought = os.environ.get("MILLRACE_POSTGRES") or os.path.expanduser("~/.cache/millrace/postgres")
    patterns = ["/usr/lib/postgresql/*/bin/initdb"] if version is None else [f"/usr/lib/postgresql/{version}/bin/initdb", f"{brought}/{version}/bin/initdb"]
    candidates = [c for p in patterns for c in sorted(glob.glob(p), key=lambda p: int(p.split("/")[-3]))]
    if not candidates:
        raise NoServer(f"no PostgreSQL {version or ''} server found: run `make {'postgres-versions' if version else 'deps'}`")
    return pathlib.Path(candidates[-1]).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """One running server, of a major version when one is named. `settings` are added to postgresql.conf."""

    def __init__(self, version: str | None = None, *, durable: bool = False, settings: dict[str, str] | None = None):
        self.bin = binaries(version)
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="millrace-pg-"))
        self.data = self.home / "data"
        self.log = self.home / "server.log"
        self.port = free_port()
        self.user, self.password = "postgres", PASSWORD
        self._as_postgres = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as_postgres:
            shutil.chown(self.home, "postgres")
            if self.bin.is_relative_to(pathlib.Path.home()):  # where user postgres may not look
                shutil.copytree(self.bin.parent, self.home / "server", symlinks=True)
                self.bin = self.home / "server" / "bin"
        password_file = self.home / "password"
        password_file.write_text(PASSWORD + "\n")
        if self._as_postgres:
            shutil.chown(password_file, "postgres")
        self._run(self.bin / "initdb", "-D", self.data, "-U", self.user, "--pwfile", password_file, "-A", "scram-sha-256",
                  "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        conf = {
            "listen_addresses": "'127.0.0.1'", "port": str(self.port), "unix_socket_directories": f"'{self.home}'",
            "wal_level": "logical", "max_replication_slots": "60", "max_wal_senders": "60", "max_connections": "120",
            "track_commit_timestamp": "on", "timezone": "'UTC'", "log_min_messages": "warning", "logging_collector": "off",
            # A few hundred rows are streamed before they commit.
            "logical_decoding_work_mem": "'64kB'", "max_prepared_transactions": "20",
            "max_wal_size": "'4GB'", "shared_buffers": "'256MB'", "wal_sender_timeout": "'30s'",
            # The tests never kill the server, so it need not be durable; a benchmark asks for it.
            "fsync": "on" if durable else "off",
        } | (settings or {})
        with open(self.data / "postgresql.conf", "a") as out:
            out.writelines(f"{name} = {value}\n" for name, value in conf.items())
        self.start()
        atexit.register(self.destroy)
        with self.connect() as connection:
            self.version = connection.info.server_version  # 150018

    def _run(self, *command: object) -> None:
        done = subprocess.run([*self._as_postgres, *map(str, command)], cwd="/", text=True, capture_output=True)
        if done.returncode != 0:
            log = self.log.read_text()[-2000:] if self.log.exists() else ""
            raise RuntimeError(f"{pathlib.Path(str(command[0])).name} failed: {done.stderr}{done.stdout}{log}")

    def start(self) -> None:
        # pg_ctl leaves the server behind; its output must not keep our pipes open.
        command = [*self._as_postgres, str(self.bin / "pg_ctl"), "-D", str(self.data), "-l", str(self.log), "-w", "-t", "60", "start"]
        done = subprocess.run(command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if done.returncode != 0:
            raise RuntimeError(f"PostgreSQL did not start: {self.log.read_text()[-2000:]}")

    def stop(self, mode: str = "immediate") -> None:
        """Stops the server by its own pid file."""
        if (self.data / "postmaster.pid").exists():
            self._run(self.bin / "pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def restart(self, mode: str = "fast") -> None:
        """`mode` as pg_ctl takes it, or "kill": kill -9 of the server's first process, whose children end by themselves."""
        if mode == "kill":
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            children = [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not any(pathlib.Path(f"/proc/{p}").exists() for p in [pid, *children]), 60, "the server's processes live on")
        else:
            self._run(self.bin / "pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")
        self.start()

    def copy(self, *, standby: bool) -> Cluster:
        """A second server over a copy of this one's files as they are now, replication slots included: a standby that is to be promoted,
        or the same server restored from an older copy."""
        self._run(self.bin / "pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop")
        twin = self._twin()
        shutil.copytree(self.data, twin.data)
        if self._as_postgres:
            for path in (twin.data, *twin.data.rglob("*")):
                shutil.chown(path, "postgres")
        if standby:
            self._run("touch", twin.data / "standby.signal")
        self.start()
        return twin._begin()

    def standby(self) -> Cluster:
        """A streaming standby made by pg_basebackup, which leaves replication slots behind."""
        twin = self._twin()
        self._run(self.bin / "pg_basebackup", "-D", twin.data, "-R", "-c", "fast",
                  "-d", f"host=127.0.0.1 port={self.port} user={self.user} password={self.password}")
        return twin._begin()

    def promote(self) -> None:
        with self.connect() as connection:
            connection.execute("SELECT pg_promote()")

    def _twin(self) -> Cluster:
        twin = object.__new__(Cluster)
        twin.__dict__.update(self.__dict__)
        twin.home = pathlib.Path(tempfile.mkdtemp(prefix="millrace-pg-"))
        if self._as_postgres:
            shutil.chown(twin.home, "postgres")
        twin.data, twin.log, twin.port = twin.home / "data", twin.home / "server.log", free_port()
        return twin

    def _begin(self) -> Cluster:
        with open(self.data / "postgresql.conf", "a") as out:
            out.write(f"port = {self.port}\nunix_socket_directories = '{self.home}'\n")
        self.start()
        atexit.register(self.destroy)
        return self

    def destroy(self) -> None:
        with contextlib.suppress(RuntimeError):
            self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def dsn(self, database: str = "postgres") -> str:
        return (f"host=127.0.0.1 port={self.port} dbname={database} user={self.user} password={self.password} client_encoding=UTF8 "
                f"options='{TEXT_SETTINGS}'")

    def connect(self, database: str = "postgres", **options) -> psycopg.Connection:
        return psycopg.connect(self.dsn(database), **({"autocommit": True} | options))

    def create(self, name: str) -> Database:
        with self.connect() as admin:
            admin.execute(f'CREATE DATABASE "{name}"')
        return Database(self, name)


class Database:
    """One database of the cluster; `slot` and `publication` are the names that Millrace is told to use."""

    def __init__(self, cluster: Cluster, name: str):
        self.cluster, self.name = cluster, name
        self.slot = f"millrace_{name}"
        self.publication = f"millrace_{name}"

    def connect(self, **options) -> psycopg.Connection:
        return self.cluster.connect(self.name, **options)

    def execute(self, statements: str) -> None:
        """Runs SQL as psql does: statement by statement as the server splits them, each in its own transaction unless it says BEGIN."""
        with self.connect() as connection:
            for statement in split_statements(statements):
                connection.execute(statement)

    def query(self, statement: str, *arguments) -> list[tuple]:
        with self.connect() as connection:
            return connection.execute(statement, arguments or None).fetchall()

    def value(self, statement: str, *arguments):
        return self.query(statement, *arguments)[0][0]

    def drop(self) -> None:
        """Drops the database with its slots; whoever is still connected is cut off."""
        with self.cluster.connect() as admin:
            admin.execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = %s AND active", [self.name])
            for (slot,) in admin.execute("SELECT slot_name FROM pg_replication_slots WHERE database = %s", [self.name]).fetchall():
                wait_until(lambda: self._drop_slot(admin, slot), 10, f"slot {slot} is still in use")
            admin.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')

    @staticmethod
    def _drop_slot(admin: psycopg.Connection, slot: str) -> bool:
        try:
            admin.execute("SELECT pg_drop_replication_slot(%s)", [slot])
        except psycopg.errors.ObjectInUse:
            return False
        except psycopg.errors.UndefinedObject:
            pass
        return True


def split_statements(script: str) -> Iterator[str]:
    """Splits at semicolons outside of quotes, comments and dollar quotes."""
    start = i = 0
    while i < len(script):
        c = script[i]
        if c in "'\"":
            escapes = c == "'" and i > 0 and script[i - 1] in "eE" and (i < 2 or not (script[i - 2].isalnum() or script[i - 2] == "_"))
            i += 1
            while i < len(script):
                if escapes and script[i] == "\\":
                    i += 2
                    continue
                if script[i] == c:
                    if script[i + 1:i + 2] != c:
                        break
                    i += 1
                i += 1
        elif script.startswith("--", i):
            end = script.find("\n", i)
            i = len(script) if end < 0 else end
        elif script.startswith("/*", i):
            i = script.index("*/", i) + 1
        elif c == "$":
            close = script.find("$", i + 1)
            tag = script[i:close + 1] if close > 0 else ""
            if tag and (tag == "$$" or tag[1:-1].isidentifier()):
                i = script.index(tag, close + 1) + len(tag) - 1
        elif c == ";":
            if statement := script[start:i].strip():
                yield statement
            start = i + 1
        i += 1
    if statement := script[start:].strip():
        yield statement


def wait_until(check, seconds: float, what: str, pause: float = 0.05):
    """Calls `check` until it returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        if result := check():
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s: {what}")
        time.sleep(pause)
