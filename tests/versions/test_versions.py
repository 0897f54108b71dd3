"""What matters most, on the PostgreSQL versions beside the system's own. All scenarios on one of them: `pytest tests --pg 17`."""

from __future__ import annotations

import pathlib

import pytest

from harness.postgres import Cluster, NoServer
from pgtypes.test_edge_values import test_every_type_comes_back as every_type_comes_back
from scenario.test_scenarios import run

SCENARIOS = pathlib.Path(__file__).parents[1] / "scenario"
CHOSEN = ("changes", "generated", "new-table", "partitioned", "replica-identities", "schema-change")


@pytest.fixture(scope="module", params=["14", "17", "18"])
def cluster(request: pytest.FixtureRequest):
    """Stands in for the session's cluster: tests of one version run together."""
    try:
        cluster = Cluster(request.param)
    except NoServer as missing:
        pytest.skip(str(missing))
    yield cluster
    cluster.destroy()


@pytest.mark.parametrize("name", CHOSEN)
def test_scenario(name, audit, millrace):
    run(SCENARIOS / f"{name}.test", audit, millrace)


def test_types(database, audit, millrace):
    every_type_comes_back(database, audit, millrace)
