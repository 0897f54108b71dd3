"""The code is laid out as .clang-format says: `make format` does it."""

from __future__ import annotations

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_sources_are_formatted():
    files = sorted(str(p) for folder in ("src", "tests", "bench") for p in (ROOT / folder).rglob("*") if p.suffix in (".h", ".cc"))
    assert len(files) > 300
    done = subprocess.run(["clang-format", "--dry-run", "--Werror", *files], cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr[:2000]
