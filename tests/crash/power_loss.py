"""What a power loss leaves: only bytes that were fsynced, under names whose directory was fsynced after they were made.

Stricter than most file systems, and no stricter than POSIX.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess


def preload(name: str, directory: pathlib.Path) -> pathlib.Path:
    """The library of <name>.c beside this file."""
    library = directory / f"{name}.so"
    source = pathlib.Path(__file__).parent / f"{name}.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-o", library, source, "-ldl"], check=True)
    return library


class PowerLoss:
    def __init__(self, directory: pathlib.Path):
        self.library = preload("synclog", directory)
        self.journal = directory / "synced.log"

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.library), "SYNCLOG": str(self.journal)}

    def strike(self, root: pathlib.Path) -> tuple[int, int]:
        """Takes away from under `root` what was not synced. Returns how many entries were lost and how many files were cut."""
        sizes: dict[int, int] = {}
        entries: set[tuple[str, int]] = set()
        for line in self.journal.read_text().splitlines():
            what, inode, size, path = line.split("\t", 3)
            if what == "file":
                sizes[int(inode)] = int(size)
            elif what == "entry":
                entries.add((path, int(inode)))
        lost = cut = 0
        for directory, names, files in os.walk(root):
            for name in list(names):
                path = os.path.join(directory, name)
                if (path, os.stat(path).st_ino) not in entries and not self._kept(path, entries):
                    shutil.rmtree(path)
                    names.remove(name)
                    lost += 1
            for name in files:
                path = os.path.join(directory, name)
                status = os.stat(path)
                if (path, status.st_ino) not in entries and not name.startswith("catalog.db"):
                    os.unlink(path)
                    lost += 1
                elif status.st_size > sizes.get(status.st_ino, 0) and not name.endswith("-shm"):
                    os.truncate(path, sizes.get(status.st_ino, 0))
                    cut += 1
        return lost, cut

    @staticmethod
    def _kept(path: str, entries: set[tuple[str, int]]) -> bool:
        """Directories made at set-up, before anything was committed into them, need no record of their own if a synced entry lies below."""
        return any(entry.startswith(path + "/") for entry, _ in entries)
