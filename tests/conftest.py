"""Options and fixtures of all tests: the binary, one PostgreSQL cluster a session, one database a test."""

from __future__ import annotations

import itertools
import pathlib
import re

import pytest

from harness.audit import Audit
from harness.millrace import Millrace
from harness.postgres import Cluster, Database

ROOT = pathlib.Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bin", default=str(ROOT / "build/release/bin/millrace"), help="the millrace binary under test")
    parser.addoption("--pg", metavar="VERSION", help="PostgreSQL's major version: 14, 15, 16, 17 or 18; by default the system's own")
    parser.addoption("--seeds", type=int, default=5, help="how many seeds the random crash tests run")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames and not any(m.name == "parametrize" and "seed" in m.args[0] for m in metafunc.definition.iter_markers()):
        metafunc.parametrize("seed", range(1, metafunc.config.getoption("--seeds") + 1))


@pytest.fixture(scope="session")
def binary(request: pytest.FixtureRequest) -> pathlib.Path:
    path = pathlib.Path(request.config.getoption("--bin")).resolve()
    assert path.exists(), f"{path} is not there: run `make build`"
    return path


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest):
    cluster = Cluster(request.config.getoption("--pg"))
    yield cluster
    cluster.destroy()


_numbers = itertools.count(1)


@pytest.fixture
def database(cluster: Cluster, request: pytest.FixtureRequest):
    """A database of the test's own, named after it; its slots go with it."""
    name = re.sub(r"[^a-z0-9]+", "_", request.node.name.lower()).strip("_")[:40]
    database = cluster.create(f"{name}_{next(_numbers)}")
    yield database
    database.drop()


@pytest.fixture
def audit(database: Database) -> Audit:
    return Audit(database)


@pytest.fixture
def millrace(binary: pathlib.Path, tmp_path: pathlib.Path, database: Database) -> Millrace:
    return Millrace(binary, tmp_path, database)
