"""Scenario files: what the source does, what is run, and what must be in the lake then. docs/guide/testing.md describes the format."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shlex

import psycopg
import yaml

from harness import compare
from harness.audit import Audit
from harness.lake import Lake, duckdb_with_iceberg
from harness.millrace import Failed, Millrace, Process, merged
from harness.postgres import Database, split_statements

_FREE_TEXT = {"source", "session", "config", "write"}  # blocks whose lines are taken as they are
_WITH_RESULT = {"query", "fail"}                        # blocks with a `----` part


@dataclasses.dataclass(frozen=True)
class Block:
    line: int
    word: str
    arguments: list[str]
    text: str
    expected: list[str]


class ScenarioError(AssertionError):
    pass


def parse(text: str, name: str) -> list[Block]:
    """A block is a header line at column 0 and the lines up to the next blank line that a header line follows."""
    blocks, current = [], []

    def close() -> None:
        if not current:
            return
        (number, header), *rest = current
        word, *arguments = shlex.split(header)
        body = [line for _, line in rest]
        while body and not body[-1].strip():
            body.pop()
        expected: list[str] = []
        if "----" in body:
            at = body.index("----")
            body, expected = body[:at], body[at + 1:]
        if word not in Runner.WORDS:
            raise ScenarioError(f"{name}:{number}: no block is called {word!r}; there are {', '.join(sorted(Runner.WORDS))}")
        if body and word not in _FREE_TEXT and word not in _WITH_RESULT:
            raise ScenarioError(f"{name}:{number}: a {word!r} block has no lines of its own")
        blocks.append(Block(number, word, arguments, "\n".join(body), expected))
        current.clear()

    blank = True
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#") and not current:
            continue
        if not line.strip():
            blank = True
            if current:
                current.append((number, line))
            continue
        first = line.split()[0]
        if blank and (not current or first in Runner.WORDS or line.startswith("#")):
            close()
            blank = False
            if line.startswith("#"):
                blank = True
                continue
        current.append((number, line))
        blank = False
    close()
    return blocks


def needed_version(text: str) -> int:
    """The major version of PostgreSQL that a scenario's first line says it needs; 0: any."""
    needs = re.match(r"# Needs PostgreSQL (\d+)", text)
    return int(needs[1]) if needs else 0


class Runner:
    """Runs one scenario over a database and an installation of its own."""

    WORDS = {"source", "session", "run", "query", "fail", "kill", "up", "stop", "crash", "await", "check", "config", "write", "postgres"}

    def __init__(self, file: pathlib.Path, millrace: Millrace, audit: Audit):
        self.file, self.millrace, self.audit = file, millrace, audit
        self.database: Database = millrace.database
        self.lake: Lake = millrace.lake
        self.sessions: dict[str, psycopg.Connection] = {}
        self.process: Process | None = None

    def run(self) -> None:
        blocks = parse(self.file.read_text(), self.file.name)
        if not any(b.word in {"query", "check", "fail"} for b in blocks):
            raise ScenarioError(f"{self.file.name} checks nothing")
        try:
            for block in blocks:
                try:
                    getattr(self, f"_{block.word}")(block)
                except (AssertionError, Failed, psycopg.Error, TimeoutError) as problem:
                    raise ScenarioError(f"{self.file.name}:{block.line}: {block.word}: {problem}") from problem
        finally:
            for session in self.sessions.values():
                session.close()
            if self.process is not None and not self.process.ended():
                self.process.kill()

    # Each block of the format is a method; its docstring is what the guide says of it.

    def _source(self, block: Block) -> None:
        """SQL on the source, statement by statement."""
        self.database.execute(block.text)

    def _session(self, block: Block) -> None:
        """SQL in the named session, which stays open, so that transactions can overlap."""
        (name,) = block.arguments
        session = self.sessions.get(name) or self.sessions.setdefault(name, self.database.connect())
        for statement in split_statements(block.text):
            session.execute(statement)

    def _config(self, block: Block) -> None:
        """YAML laid over the configuration; null takes a key away."""
        self.millrace.config = merged(self.millrace.config, yaml.safe_load(block.text))
        self.millrace.write_config()

    def _write(self, block: Block) -> None:
        """A file in the installation's directory."""
        path = self.millrace.home / block.arguments[0]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text + "\n")

    def _run(self, block: Block) -> None:
        """A subcommand; without one, everything there is carried through: capture, silver and gold, each --once."""
        if block.arguments:
            self.millrace.run(*block.arguments)
        else:
            self.millrace.catch_up()

    def _fail(self, block: Block) -> None:
        """A subcommand that must fail, with the expected lines somewhere in what it says."""
        try:
            self.millrace.run(*block.arguments)
        except Failed as failed:
            if failed.code < 0 or failed.code > 128:
                raise AssertionError(f"it crashed: {failed}") from failed
            missing = [line for line in block.expected if line not in failed.output]
            if missing:
                raise AssertionError(f"it does not say {missing}; it says:\n{failed.output}") from failed
            return
        raise AssertionError(f"`{' '.join(block.arguments)}` did not fail")

    def _kill(self, block: Block) -> None:
        """Runs a subcommand (by default all of them) that dies as by kill -9 at the named failpoint; `name@3`: at the third pass."""
        point, *command = block.arguments
        name, _, at = point.partition("@")
        environment = {"MILLRACE_FAILPOINTS": f"{name}=kill" + (f"@{at}" if at else "")}
        try:
            if command:
                self.millrace.run(*command, environment=environment)
            else:
                self.millrace.catch_up(environment)
        except Failed as failed:
            if failed.code != 137:
                raise
            return
        raise AssertionError(f"nothing came by {point}")

    def _up(self, _: Block) -> None:
        """Starts `up`."""
        self.process = self.millrace.up()

    def _stop(self, _: Block) -> None:
        """Ends `up` in good order."""
        code = self.process.stop()
        if code != 0:
            raise AssertionError(f"up ended with {code}: {self.process.output()[-2000:]}")

    def _crash(self, _: Block) -> None:
        """kill -9 of `up`."""
        self.process.kill()

    def _await(self, _: Block) -> None:
        """Waits until `up` has published everything that is committed in the source by now."""
        self.millrace.wait_published(self.audit.last_commit(), self.process)

    def _postgres(self, block: Block) -> None:
        """`postgres restart`."""
        assert block.arguments == ["restart"], block.arguments
        self.database.cluster.restart()

    def _check(self, block: Block) -> None:
        """Compares the named tables (by default all of the public schema) with the oracle, row by row, through each outside reader."""
        known = {t.name: t for t in compare.tables_of(self.audit, tuple({n.split(".")[0].strip('"') for n in self.audit.identities()}))}
        names = block.arguments or [n for n in known if n.startswith("public.")]
        bare = {n.replace('"', ""): t for n, t in known.items()}  # the header line's quotes have been taken off
        unknown = [n for n in names if n.replace('"', "") not in bare]
        if unknown or not names:
            raise AssertionError(f"no such tables: {unknown}; there are {sorted(known)}")
        compare.check(self.audit, self.lake, [bare[n.replace('"', "")] for n in names])

    def _query(self, block: Block) -> None:
        """SQL over the lake, by DuckDB's Iceberg extension, or with `millrace` by the binary's own `query`; `rowsort` sorts both sides."""
        options = set(block.arguments)
        assert options <= {"rowsort", "millrace", "source"}, f"unknown options {options}"
        rows = self._rows(block.text, options)
        expected = [line.rstrip() for line in block.expected]
        if "rowsort" in options:
            rows, expected = sorted(rows), sorted(expected)
        if rows != expected:
            raise AssertionError("expected\n  " + "\n  ".join(expected or ["nothing"]) + "\ngot\n  " + "\n  ".join(rows or ["nothing"]))

    def _rows(self, sql: str, options: set[str]) -> list[str]:
        if "millrace" in options:
            output = self.millrace.query(sql, "--format", "csv").splitlines()
            return [line.replace(",", "|") for line in output[1:]]
        if "source" in options:
            return ["|".join("NULL" if v is None else str(v) for v in row) for row in self.database.query(sql)]
        with duckdb_with_iceberg() as db:
            for table in self.lake.tables():
                namespace, name = table.split(".", 1)
                location = self.lake.metadata_location(table).removeprefix("file://")
                db.execute(f'CREATE SCHEMA IF NOT EXISTS "{namespace}"')
                db.execute(f"""CREATE VIEW "{namespace}"."{name}" AS SELECT * FROM iceberg_scan('{location}')""")
            return ["|".join("NULL" if v is None else str(v) for v in row)
                    for row in db.execute(f"SELECT COLUMNS(*)::varchar FROM ({sql.rstrip().rstrip(';')})").fetchall()]
