"""Bronze as a reader of files sees it: the commits form one line of history, and what they list is there, whole and without gaps."""

from __future__ import annotations

import hashlib
import json

import zstandard

from harness.compare import Mismatch
from harness.lake import Lake


def read_events(lake: Lake) -> dict[str, list[dict]]:
    """topic -> its committed records in offset order."""
    found: dict[str, list[dict]] = {}
    for commit in lake.commits():
        for file in commit["files"]:
            data = zstandard.ZstdDecompressor().stream_reader((lake.bronze / file["path"]).read_bytes()).read()
            lines = [json.loads(line) for line in data.splitlines()]
            if len(lines) != file["records"]:
                raise Mismatch(f"{file['path']} has {len(lines)} records, its commit says {file['records']}")
            found.setdefault(file["topic"], []).extend(lines)
    for topic, lines in found.items():
        if [line["offset"] for line in lines] != list(range(len(lines))):
            raise Mismatch(f"{topic}: offsets are not 0 to {len(lines) - 1}")
    return found


def check_bronze(lake: Lake) -> int:
    """Returns how many records are committed."""
    commits = lake.commits()
    next_offset: dict[str, int] = {}
    position = (0, -1)
    epoch = records = 0
    for commit in commits:
        number = commit["number"]
        if commit["epoch"] < epoch:
            raise Mismatch(f"commit {number}: epoch {commit['epoch']} after epoch {epoch}: two writers")
        epoch = commit["epoch"]
        if commit.get("position"):
            reached = (_lsn(commit["position"]["commit_lsn"]), commit["position"]["ordinal"])
            if reached < position:
                raise Mismatch(f"commit {number}: position {reached} after {position}")
            position = reached
        for file in commit["files"]:
            stored = (lake.bronze / file["path"]).read_bytes()
            if len(stored) != file["bytes"] or hashlib.sha256(stored).hexdigest() != file["sha256"]:
                raise Mismatch(f"commit {number}: {file['path']} is not the file that was committed")
            expected = next_offset.setdefault(file["topic"], file["first_offset"])
            if file["first_offset"] != expected or file["last_offset"] - file["first_offset"] + 1 != file["records"]:
                raise Mismatch(f"commit {number}: {file['topic']} has offsets {file['first_offset']} to {file['last_offset']} "
                               f"({file['records']} records), not from {expected} on")
            next_offset[file["topic"]] = file["last_offset"] + 1
            records += file["records"]
    numbers = [c["number"] for c in commits]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))) if numbers else False:
        raise Mismatch(f"commit numbers have gaps: {numbers}")
    return records


def _lsn(text: str) -> int:
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)
