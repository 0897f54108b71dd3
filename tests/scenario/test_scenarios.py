"""Each *.test file beside this one is a test."""

import pathlib

import pytest

from harness.scenario import Runner

FILES = sorted(pathlib.Path(__file__).parent.glob("*.test"))


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_scenario(file, audit, millrace):
    Runner(file, millrace, audit).run()
