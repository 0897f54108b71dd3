"""A PostgreSQL cluster of the demo's own: on 127.0.0.1, in its own directory, stopped by who started it."""
import glob
import os
import pathlib
import shutil
import socket
import subprocess

import psycopg

SETTINGS = """
listen_addresses = '127.0.0.1'
wal_level = logical
max_wal_senders = 8
max_replication_slots = 8
shared_buffers = 256MB
maintenance_work_mem = 256MB
max_wal_size = 4GB
timezone = 'UTC'
log_timezone = 'UTC'
"""


def bin_directory():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda p: int(p.split("/")[4]))
    if found:
        return os.path.dirname(found[-1])
    initdb = shutil.which("initdb")
    if initdb is None:
        raise SystemExit("demo: PostgreSQL is not installed; run `make deps`")
    return os.path.dirname(initdb)


def as_server_user(command):
    """PostgreSQL refuses to run as root."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else list(command)


def can_enter(path):
    return subprocess.run(as_server_user(["test", "-x", str(path)]), cwd="/").returncode == 0


def home_for(demo_directory):
    """Where clusters lie: in the demo's directory, or beside it where the server's user cannot go (a checkout below /root)."""
    demo_directory.mkdir(exist_ok=True)
    if can_enter(demo_directory):
        return demo_directory
    home = pathlib.Path("/var/tmp") / ("millrace-demo-" + str(os.stat(demo_directory).st_ino))
    home.mkdir(exist_ok=True)
    return home


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Cluster:
    def __init__(self, directory, password):
        self.directory = pathlib.Path(directory)
        self.password = password
        self.port = None
        self.bin = bin_directory()

    def _run(self, *command):
        done = subprocess.run(as_server_user(command), cwd="/", capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"demo: {' '.join(command[:2])} failed:\n{done.stdout}{done.stderr}")

    def create(self):
        self.directory.mkdir(mode=0o700, parents=True)
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")
        self._run(f"{self.bin}/initdb", "-D", str(self.directory), "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8",
                  "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync")
        with open(self.directory / "postgresql.conf", "a") as conf:
            conf.write(SETTINGS)

    def start(self):
        self.port = free_port()
        options = f"-p {self.port} -c unix_socket_directories={self.directory}"
        self._run(f"{self.bin}/pg_ctl", "-D", str(self.directory), "-l", str(self.directory / "server.log"), "-o", options, "-w", "start")
        with self.connect("postgres") as connection:
            connection.execute(psycopg.sql.SQL("ALTER ROLE postgres PASSWORD {}").format(psycopg.sql.Literal(self.password)))

    def stop(self):
        if self.port is not None:
            self._run(f"{self.bin}/pg_ctl", "-D", str(self.directory), "-m", "fast", "-w", "stop")
            self.port = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
        if not os.listdir(self.directory.parent):  # the place beside the demo's directory
            self.directory.parent.rmdir()

    def connect(self, database="shop", **options):
        # Over the Unix socket, whose directory only the server's user and root can enter.
        return psycopg.connect(host=str(self.directory), port=self.port, user="postgres", dbname=database, autocommit=True,
                               **options)
