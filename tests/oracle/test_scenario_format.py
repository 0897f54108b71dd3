"""The scenario format: what is written is what is run, and nothing is passed over."""

import pathlib

import pytest

from harness.scenario import Runner, ScenarioError, parse

GOOD = """\
# What it is about.
# More of that.

source
CREATE TABLE t (id int);

INSERT INTO t VALUES (1);

run

# Between blocks.
query rowsort
SELECT id FROM silver.t
----
1
2

fail capture --once
----
some words
"""


def test_blocks():
    blocks = parse(GOOD, "good")
    assert [(b.line, b.word, b.arguments) for b in blocks] == [
        (4, "source", []), (9, "run", []), (12, "query", ["rowsort"]), (18, "fail", ["capture", "--once"])]
    assert blocks[0].text.count("\n") == 2
    assert blocks[2].expected == ["1", "2"]
    assert blocks[3].text == "" and blocks[3].expected == ["some words"]


@pytest.mark.parametrize("text", ["sauce\nSELECT 1\n", "run\nquery\n", "check\n\nrun\nwith lines\n"])
def test_mistakes_are_said(text):
    with pytest.raises(ScenarioError, match="bad:"):
        parse(text, "bad")


def test_a_scenario_that_checks_nothing_is_an_error(tmp_path):
    file = tmp_path / "empty.test"
    file.write_text("run\n")

    class Nothing:
        database = lake = None
    with pytest.raises(ScenarioError, match="checks nothing"):
        Runner(file, Nothing(), None).run()


def test_every_block_is_described():
    guide = (pathlib.Path(__file__).resolve().parents[2] / "docs/guide/testing.md").read_text()
    for word in Runner.WORDS:
        assert f"`{word}" in guide, f"docs/guide/testing.md does not describe `{word}`"
        assert getattr(Runner, f"_{word}").__doc__
