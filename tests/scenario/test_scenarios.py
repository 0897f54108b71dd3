"""Each *.test file beside this one is a test."""

import pathlib

import pytest

from harness.scenario import Runner, needed_version

FILES = sorted(pathlib.Path(__file__).parent.glob("*.test"))


def case(file):
    """A scenario whose first line says "Known gap" must fail: when it does not, the line has to go."""
    first = file.read_text().splitlines()[0]
    gap = first.startswith("# Known gap:")
    return pytest.param(file, id=file.stem, marks=pytest.mark.xfail(strict=True, reason=first[2:]) if gap else ())


@pytest.mark.parametrize("file", [case(file) for file in FILES])
def test_scenario(file, audit, millrace):
    run(file, audit, millrace)


def run(file, audit, millrace):
    needed = needed_version(file.read_text())
    if audit.database.cluster.version < needed * 10000:
        pytest.skip(f"needs PostgreSQL {needed}")
    Runner(file, millrace, audit).run()
