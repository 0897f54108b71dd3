"""Breaking Millrace on purpose turns the suite red: each deliberate bug of the `sabotage` build is caught by a test of the suite.

The same check must pass in that build with no bug chosen, or its failure would prove nothing.
"""

import pathlib
import subprocess

import pytest

from crash.test_confirm import check_confirm_follows_commit
from crash.test_delete_files import check_delete_files
from crash.test_power_loss import check_power_loss
from crash.test_two_processes import check_zombie_is_fenced
from harness.millrace import Failed, Millrace

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHECKS = {
    "confirm_before_commit": check_confirm_follows_commit,
    "skip_fsync": lambda millrace, audit: check_power_loss(millrace, audit, 1),
    "drop_fence": check_zombie_is_fenced,
    "forget_delete_file": check_delete_files,
}


@pytest.fixture(scope="session")
def sabotage_binary(binary: pathlib.Path) -> pathlib.Path:
    """The binary under test with the bugs compiled in: one file is compiled and everything is linked again."""
    build = binary.parent.parent
    if not (build / "build.ninja").exists():
        build = ROOT / "build/release"
    subprocess.run(["cmake", "--build", build, "--target", "millrace_sabotage"], check=True, stdout=subprocess.DEVNULL)
    return build / "bin/millrace_sabotage"


@pytest.mark.parametrize("bug", CHECKS)
def test_without_the_bug(bug, sabotage_binary, tmp_path, database, audit):
    CHECKS[bug](Millrace(sabotage_binary, tmp_path, database), audit)


@pytest.mark.parametrize("bug", CHECKS)
def test_bug_is_caught(bug, sabotage_binary, tmp_path, database, audit):
    millrace = Millrace(sabotage_binary, tmp_path, database)
    millrace.environment["MILLRACE_SABOTAGE_BUG"] = bug
    with pytest.raises((AssertionError, Failed)) as caught:
        CHECKS[bug](millrace, audit)
    print(f"{bug}: {str(caught.value)[:500]}")
