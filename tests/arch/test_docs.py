"""What the documents say about the tree is so: folders, sizes, names, generated pages, failpoints, links."""

from __future__ import annotations

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
HEADER_LINES, SOURCE_LINES, README_LINES = 200, 600, 20
EMPTY_NAMES = re.compile(r"(^|[_/])(util|utils|helper|helpers|common|misc)([_./]|$)")


def tracked() -> list[str]:
    """Files under version control, as far as they are still there."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, text=True, capture_output=True, check=True).stdout.splitlines()
    return [name for name in listed if (ROOT / name).exists()]


def source_folders() -> set[str]:
    """Folders below src/ that hold code themselves."""
    return {str(p.parent.relative_to(SRC)) for p in SRC.rglob("*") if p.suffix in (".h", ".cc")}


def test_the_folder_table_is_the_tree():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rows = set(re.findall(r"^\| `src/([a-z_0-9/]+)/` \|", text, re.MULTILINE))
    assert rows == source_folders()


def test_layers_name_the_same_folders():
    lines = [line.split("#")[0].split(":")[0] for line in (ROOT / "docs/layers.txt").read_text().splitlines()]
    assert set(" ".join(lines).split()) == source_folders()


def test_each_source_folder_has_a_short_readme():
    wrong = []
    for folder in sorted(source_folders()):
        readme = SRC / folder / "README.md"
        if not readme.exists():
            wrong.append(f"src/{folder}: no README.md")
        elif len(readme.read_text().splitlines()) > README_LINES:
            wrong.append(f"src/{folder}/README.md: more than {README_LINES} lines")
    assert not wrong, wrong


def test_files_stay_small():
    wrong = []
    for path in SRC.rglob("*"):
        limit = {".h": HEADER_LINES, ".cc": SOURCE_LINES}.get(path.suffix)
        if limit and (lines := len(path.read_text().splitlines())) > limit:
            wrong.append(f"{path.relative_to(ROOT)}: {lines} lines, {limit} are allowed")
    assert not wrong, wrong


def test_names_say_something():
    assert not [name for name in tracked() if EMPTY_NAMES.search(name.lower())]


def test_nothing_is_left_to_do():
    markers = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")
    wrong = [name for name in tracked() if name.startswith(("src/", "docs/", "tests/", "scripts/", "bench/"))
             and (ROOT / name).suffix in (".h", ".cc", ".md", ".py", ".sh") and markers.search((ROOT / name).read_text(errors="replace"))]
    assert not wrong, wrong


def test_the_configuration_reference_is_current(binary):
    page = subprocess.run([binary, "config", "--reference"], text=True, capture_output=True, check=True).stdout
    assert (ROOT / "docs/guide/configuration.md").read_text() == page, "run: millrace config --reference > docs/guide/configuration.md"


def test_the_example_configuration_is_current(binary):
    text = subprocess.run([binary, "init", "-"], text=True, capture_output=True, check=True).stdout
    assert (ROOT / "config/example.yaml").read_text() == text, "run: millrace init - > config/example.yaml"


def failpoints() -> list[str]:
    names = []
    for path in SRC.rglob("*.cc"):
        if not path.name.endswith("_test.cc"):
            # Within one file a name may stand where two paths take the same step.
            names += sorted(set(re.findall(r'MR_FAILPOINT\("([^"]*)"\)', path.read_text())))
    return names


def test_failpoints_are_unique_and_listed():
    names = failpoints()
    assert names, "no failpoint found: the pattern is out of date"
    assert sorted(set(names)) == sorted(names), "a name is used in two files"
    listed = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", (ROOT / "docs/guide/failpoints.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(names)


def test_relative_links_lead_somewhere():
    wrong = []
    for name in tracked():
        if not name.endswith(".md"):
            continue
        page = ROOT / name
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists():
                wrong.append(f"{name}: {target}")
    assert not wrong, wrong


def test_the_readme_begins_with_what_it_is_and_two_commands():
    text = (ROOT / "README.md").read_text()
    head = text.split("```")[1] if "```" in text else ""
    assert "make demo" in head and "make test" in head
    for target in re.findall(r"make ([a-z-]+)", text):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), f"make {target} is no target"
