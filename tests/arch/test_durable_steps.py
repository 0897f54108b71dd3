"""Each durable step has a failpoint before and after it, so that the crash tests, which find the failpoints in the code, come by it."""

from __future__ import annotations

import pathlib
import re

SRC = pathlib.Path(__file__).resolve().parents[2] / "src"
NEAR = 45  # lines between a step and its failpoints

# What makes something durable, or takes it away: at the lowest level, and where a caller decides over the outcome.
STEPS = {
    "adapter/object_file": r"files_?(->|\.)(Rename|Link|Unlink|SyncFile|SyncFolder|MakeFolder)\(|\bSync(File|Folder)\(\*files_",
    "adapter/catalog_sql": r"MR_TRY\(Commit\(\)\)|rows_->(Apply|CreateNamespace|Drop)\(",
    "adapter/source_postgres": r"MR_TRY\(ApplyPublications\(|CreateSlot\(\*|DropSlot\(\*|Execute\(MarkPending\(|pg_replication_slot_advance\(|"
                               r"pg_create_logical_replication_slot\(|ReplicationSlot\(",
    "commitlog": r"(= |MR_TRY\()(writer\.)?Put\(|PutOnce\(store, RollUpPath",
    "pipeline": r"[cC]atalog_\.Commit\(|\bdurable_\(|log_\.Append\(",
    "table": r"store_?\.Put\(",
}

# Steps that leave nothing behind, or that others' failpoints surround: folder, text of the line, why.
EXEMPT = {
    ("adapter/object_file", "files_->Unlink(temporary_)"): "a temporary file is nothing that anybody builds on",
    ("adapter/object_file", "files.SyncFile(fd)"): "the definition",
    ("adapter/object_file", "files.SyncFolder(path)"): "the definition",
    ("adapter/object_file", "files.MakeFolder(folder)"): "the lake's own folder, before there is anything in it",
    ("adapter/object_file", "files_->Unlink(Full(path))"): "unfinished files of killed processes",
    ("adapter/catalog_sql", "rows_->Drop(key)"): "no stage drops a table",
    ("adapter/source_postgres", "pg_replication_slot_advance"): "a temporary slot",
    ("commitlog", "PutIfAbsent(path, text)"): "its callers have them",
    ("pipeline/gold", "catalog_.Commit({commit})"): "the catalog's own surround it; nothing else happens there",
    ("pipeline/gold", "catalog_.Commit({table::StageCreate(created)})"): "the catalog's own surround it; nothing else happens there",
    ("pipeline/silver", "catalog_.Commit({commit})"): "one before each, and silver.after_commit after the last",
    ("table", "return store_.Put(path, bytes)"): "its callers have them",
}


def steps(path: pathlib.Path, pattern: str) -> list[tuple[int, str]]:
    lines = path.read_text().splitlines()
    return [(i, line.strip()) for i, line in enumerate(lines) if re.search(pattern, line) and not line.lstrip().startswith("//")]


def exempt(name: str, line: str) -> bool:
    return any(name.startswith(folder + "/") and text in line for folder, text in EXEMPT)


def test_each_durable_step_has_a_failpoint_before_and_after():
    missing, found = [], 0
    for folder, pattern in STEPS.items():
        seen = 0
        for path in sorted((SRC / folder).rglob("*.cc")):
            name = str(path.relative_to(SRC))
            if name.endswith("_test.cc"):
                continue
            points = [i for i, line in enumerate(path.read_text().splitlines()) if "MR_FAILPOINT(" in line]
            for at, line in steps(path, pattern):
                seen += 1
                before = any(0 < at - point <= NEAR for point in points)
                after = any(0 < point - at <= NEAR for point in points)
                if not (before and after) and not exempt(name, line):
                    missing.append(f"src/{name}:{at + 1}: {line}: no failpoint {'after' if before else 'before'} it")
        assert seen, f"no durable step found in src/{folder}: the pattern is out of date"
        found += seen
    assert not missing, "\n".join(missing)
    assert found > 20


def test_exemptions_are_still_needed():
    for folder, text in EXEMPT:
        assert any(text in path.read_text() for path in (SRC / folder).rglob("*.cc")), f"src/{folder} has no `{text}` any more"
