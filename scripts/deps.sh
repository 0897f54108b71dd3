#!/usr/bin/env bash
# Prepares a fresh Debian 12 machine: system packages, the Arrow and DuckDB libraries, and the Python environment of the tests and
# the demo. Everything is pinned and checksummed; a second run finds the stamp of the first and returns at once.
#
# Where it goes: $MILLRACE_DEPS (default ~/.cache/millrace/deps), shared by all checkouts of the same versions.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
deps=${MILLRACE_DEPS:-$HOME/.cache/millrace/deps}

DUCKDB_NPM=@duckdb/node-bindings-linux-x64@1.5.5-r.5
DUCKDB_NPM_SHA256=86d2bda909785550e8a14a57a8a4584827aff0e268d8f1a58c3fd48559f7020e
DUCKDB_GO=github.com/duckdb/duckdb-go-bindings@v0.10505.0
DUCKDB_H_SHA256=48e716b9ce96ca8fead9cb35693fdc0343ac0fc1f6e7db5561fa0f44b674153d

packages=(ccache cmake ninja-build g++ make pkg-config clang-format
  libpq-dev libsimdjson-dev libzstd-dev zlib1g-dev libsqlite3-dev libcurl4-openssl-dev libssl-dev libyaml-cpp-dev libfmt-dev
  libspdlog-dev libcli11-dev libgtest-dev libgmock-dev libbenchmark-dev
  postgresql postgresql-contrib python3-venv util-linux)

stamp=$(cat "$here/deps.sh" "$here/requirements.lock" | sha256sum | cut -c1-16)
mkdir -p "$deps"
exec 9> "$deps/.lock"; flock 9
missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
done
[ -e "$deps/.ready-$stamp" ] && [ ${#missing[@]} -eq 0 ] && exit 0

say() { printf 'deps: %s\n' "$*"; }
die() { printf 'deps: error: %s\n' "$*" >&2; exit 1; }
# Debian packages need root, directly or by sudo.
install() {
  local sudo=
  if [ "$(id -u)" != 0 ]; then
    sudo=sudo
    command -v sudo > /dev/null || die "only root can install Debian packages, and there is no sudo: as root, run apt-get install $*"
  fi
  say "installing $# Debian packages: $*"
  $sudo apt-get update -qq
  # Debian's postgresql package starts a default cluster at install; ours are started by the tests themselves.
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >> "$deps/apt.log" 2>&1 ||
    die "apt-get failed; see $deps/apt.log"
}

# An npm and a Go client are needed only to bring DuckDB, Maven and a JDK for the Java judge of tests/judges; whichever are set up
# already are used.
declare -A package_of=([npm]=npm [go]=golang-go [mvn]=maven [javac]=default-jdk-headless)
for tool in npm go mvn javac; do
  command -v $tool > /dev/null || missing+=("${package_of[$tool]}")
done
[ ${#missing[@]} -eq 0 ] || install "${missing[@]}"

python=python3
$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || python=/usr/bin/python3.11
[ -x "$(command -v $python)" ] || die "Python 3.11 (Debian 12's own) is needed for the pinned wheels"
if ! cmp -s "$here/requirements.lock" "$deps/venv/requirements.lock"; then
  say "Python environment: $(grep -c == "$here/requirements.lock") pinned packages (pyarrow, duckdb, pyiceberg, …)"
  rm -rf "$deps/venv"
  $python -m venv "$deps/venv"
  "$deps/venv/bin/pip" -q --disable-pip-version-check install --require-hashes --no-deps --only-binary :all: -r "$here/requirements.lock"
  cp "$here/requirements.lock" "$deps/venv/"
fi
# A name that does not hold the Python version, for CMake.
ln -sfn "$("$deps/venv/bin/python" -c 'import pyarrow,os; print(os.path.dirname(pyarrow.__file__))')" "$deps/pyarrow"

if [ ! -e "$deps/duckdb/libduckdb.so" ]; then
  say "DuckDB 1.5.5"
  work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
  (cd "$work" && npm pack --silent "$DUCKDB_NPM" > /dev/null)
  echo "$DUCKDB_NPM_SHA256  $(ls "$work"/*.tgz)" | sha256sum -c --quiet || die "checksum of $DUCKDB_NPM"
  tar xzf "$work"/*.tgz -C "$work"
  (cd "$work" && go mod download -json "$DUCKDB_GO" > go.json) || die "go mod download $DUCKDB_GO"
  dir=$("$deps/venv/bin/python" -c 'import json,sys; print(json.load(open(sys.argv[1]))["Dir"])' "$work/go.json")
  echo "$DUCKDB_H_SHA256  $dir/include/duckdb.h" | sha256sum -c --quiet || die "checksum of duckdb.h in $DUCKDB_GO"
  mkdir -p "$deps/duckdb"
  cp "$dir/include/duckdb.h" "$deps/duckdb/"
  cp "$work/package/libduckdb.so" "$deps/duckdb/libduckdb.so.tmp"
  mv "$deps/duckdb/libduckdb.so.tmp" "$deps/duckdb/libduckdb.so"
fi
touch "$deps/.ready-$stamp"
say "ready in $deps"
