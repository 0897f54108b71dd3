"""docs/layers.txt, kept: who may include whom, and which third-party headers may be seen where."""

from __future__ import annotations

import dataclasses
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SRC = ROOT / "src"

# Which library a third-party header belongs to, by the start of its path. Anything else in angle brackets must be the standard library's
# or the operating system's.
LIBRARIES = {
    "arrow/": "arrow", "parquet/": "parquet", "fmt/": "fmt", "spdlog/": "spdlog", "simdjson": "simdjson", "zstd": "zstd", "zlib": "zlib",
    "openssl/": "openssl", "libpq": "libpq", "pg_": "libpq", "postgresql/": "libpq", "duckdb": "duckdb", "sqlite3": "sqlite3",
    "yaml-cpp/": "yaml-cpp", "CLI/": "CLI", "gtest/": "gtest", "gmock/": "gtest", "benchmark/": "benchmark",
}
# Headers that only declare names: they bring no definitions into those who include them.
DECLARATIONS = {"arrow/type_fwd.h", "arrow/c/abi.h"}
SYSTEM = {"unistd.h", "fcntl.h", "dirent.h", "poll.h", "signal.h", "netdb.h", "spawn.h", "stdlib.h", "dlfcn.h", "malloc.h", "emmintrin.h", "immintrin.h", "arm_neon.h"}


@dataclasses.dataclass
class Layers:
    rank: dict[str, int] = dataclasses.field(default_factory=dict)
    in_sources: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    in_headers: dict[str, set[str]] = dataclasses.field(default_factory=dict)


def read_layers(text: str) -> Layers:
    layers = Layers()
    for line in text.splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        folders, _, libraries = line.partition(":")
        names = libraries.split()
        for folder in folders.split():
            layers.rank[folder] = len(set(layers.rank.values()))
            layers.in_sources[folder] = {name.removesuffix("(h)") for name in names}
            layers.in_headers[folder] = {name.removesuffix("(h)") for name in names if name.endswith("(h)")}
        # All folders of a line share its rank.
        for folder in folders.split():
            layers.rank[folder] = layers.rank[folders.split()[0]]
    return layers


def folder_of(path: str, layers: Layers) -> str | None:
    """The longest folder of layers.txt that holds `path`, a path below src/."""
    parts = path.split("/")[:-1]
    while parts:
        if (name := "/".join(parts)) in layers.rank:
            return name
        parts.pop()
    return None


def adapter_of(folder: str) -> str:
    """adapter/source_postgres of adapter/source_postgres/stream."""
    return "/".join(folder.split("/")[:2])


def library_of(header: str) -> str | None:
    return next((library for prefix, library in LIBRARIES.items() if header.startswith(prefix)), None)


def violations(path: str, text: str, layers: Layers, exists=lambda header: True) -> list[str]:
    """What is wrong with the #include lines of one file, `path` being below src/."""
    wrong = []
    own = folder_of(path, layers)
    if own is None:
        return [f"{path}: its folder is not in docs/layers.txt"]
    is_test = path.endswith(("_test.cc", "_fixture.h", "_fixture.cc"))  # fixtures are what several tests of a folder share
    is_header = path.endswith(".h") and not is_test
    for number, line in enumerate(text.splitlines(), 1):
        if not (match := re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)):
            continue
        header, where = match[2], f"{path}:{number}"
        if match[1] == '"':
            other = folder_of(header, layers)
            if other is None or not exists(header):
                wrong.append(f'{where}: "{header}" is no file below src/; write paths from src/')
            elif other == own or (is_test and other == "testing"):
                continue
            elif other == "testing":
                wrong.append(f"{where}: {header}: only tests include testing/")
            elif layers.rank[other] >= layers.rank[own]:
                wrong.append(f"{where}: {own} must not include {other} ({header}): docs/layers.txt")
            elif other.startswith("adapter/") and own not in ("app", "testing") and adapter_of(other) != adapter_of(own):
                wrong.append(f"{where}: {own} must not name the adapter {other} ({header}): it goes through a port")
            elif other.startswith("pipeline/") and own.startswith("pipeline/"):
                wrong.append(f"{where}: stages never include each other ({header})")
            continue
        library = library_of(header)
        if library is None:
            if "." in header and header not in SYSTEM and not header.startswith(("sys/", "netinet/", "arpa/", "linux/")):
                wrong.append(f"{where}: <{header}> is of no library that tests/arch/test_layers.py knows")
        elif library == "gtest":
            if not is_test and own != "testing":
                wrong.append(f"{where}: <{header}>: only tests use GoogleTest")
        elif library not in layers.in_sources[own]:
            wrong.append(f"{where}: {own} must not use {library} (<{header}>): docs/layers.txt")
        elif is_header and header not in DECLARATIONS and library not in layers.in_headers[own]:
            wrong.append(f"{where}: <{header}> belongs in a .cc file, not in a header")
    return wrong


@pytest.fixture(scope="module")
def layers() -> Layers:
    return read_layers((ROOT / "docs/layers.txt").read_text())


def test_the_tree_keeps_its_layers(layers):
    sources = sorted(p for p in SRC.rglob("*") if p.suffix in (".h", ".cc"))
    assert len(sources) > 20
    wrong = []
    for path in sources:
        wrong += violations(str(path.relative_to(SRC)), path.read_text(), layers, lambda header: (SRC / header).exists())
    assert not wrong, "\n" + "\n".join(wrong)


def test_every_header_guards_itself():
    unguarded = [str(p.relative_to(ROOT)) for p in SRC.rglob("*.h") if "#pragma once" not in p.read_text().splitlines()[:1]]
    assert not unguarded, unguarded


@pytest.mark.parametrize("path, line", [
    ("base/x.cc", '#include "codec/json.h"'),
    ("model/x.h", '#include "iceberg/schema.h"'),
    ("pipeline/silver/x.cc", '#include "pipeline/bronze/bronze.h"'),
    ("pipeline/silver/x.cc", '#include "adapter/object_file/file_store.h"'),
    ("adapter/catalog_sql/x.cc", '#include "adapter/object_file/file_store.h"'),
    ("adapter/source_postgres/protocol/x.cc", '#include "adapter/source_postgres/stream/catch_up.h"'),
    ("adapter/source_postgres/stream/x.cc", '#include "adapter/object_file/file_store.h"'),
    ("app/x.cc", '#include "testing/memory_store.h"'),
    ("base/x.cc", '#include "x.h"'),
    ("base/x.h", "#include <spdlog/spdlog.h>"),
    ("model/x.cc", "#include <arrow/api.h>"),
    ("table/x.h", "#include <arrow/api.h>"),
    ("table/x.cc", "#include <gtest/gtest.h>"),
    ("table/x.cc", "#include <boost/any.hpp>"),
    ("nowhere/x.cc", ""),
])
def test_what_is_refused(layers, path, line):
    assert violations(path, line, layers)


@pytest.mark.parametrize("path, line", [
    ("codec/x.cc", '#include "base/result.h"'),
    ("app/x.cc", '#include "adapter/object_file/file_store.h"'),
    ("adapter/source_postgres/stream/x.cc", '#include "adapter/source_postgres/protocol/pgoutput.h"'),
    ("table/x_test.cc", '#include "testing/memory_store.h"\n#include <gtest/gtest.h>'),
    ("table/x.h", "#include <arrow/type_fwd.h>"),
    ("table/x.cc", "#include <arrow/api.h>\n#include <vector>\n#include <sys/stat.h>"),
    ("base/x.h", "#include <fmt/format.h>"),
])
def test_what_is_allowed(layers, path, line):
    assert violations(path, line, layers) == []
