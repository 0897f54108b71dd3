#!/usr/bin/env bash
# Brings the real Apache Kafka, Kafka Connect and Debezium that `make peer` compares Millrace with: pinned, checksummed, into
# $MILLRACE_PEERS (default ~/.cache/millrace/peers). A second run finds the stamp of the first and returns at once.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
deps=${MILLRACE_DEPS:-$HOME/.cache/millrace/deps}
peers=${MILLRACE_PEERS:-$HOME/.cache/millrace/peers}
pom=$here/../tests/peer/pom.xml
requirements=$here/../tests/peer/requirements.lock

DEBEZIUM=io.debezium:debezium-connector-postgres:3.7.0.Final:tar.gz:plugin
DEBEZIUM_SHA256=660673cbabd2f269da21409208ebd0f0d9977bd92e824fc9daa272f240e88e51

stamp=$(cat "$here/peers.sh" "$pom" "$requirements" | sha256sum | cut -c1-16)
mkdir -p "$peers"
exec 9> "$peers/.lock"; flock 9
[ -e "$peers/.ready-$stamp" ] && exit 0

echo "peers: Apache Kafka and Kafka Connect"
rm -rf "$peers/kafka" "$peers/plugins" "$peers/venv"
mvn -q -B -f "$pom" dependency:copy-dependencies -DoutputDirectory="$peers/kafka"
echo "peers: Debezium"
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
mvn -q -B dependency:copy -Dartifact="$DEBEZIUM" -DoutputDirectory="$work"
echo "$DEBEZIUM_SHA256  $(ls "$work"/*.tar.gz)" | sha256sum -c --quiet
mkdir -p "$peers/plugins"
tar xzf "$work"/*.tar.gz -C "$peers/plugins"
echo "peers: a Kafka client for the tests"
"$deps/venv/bin/pip" -q --disable-pip-version-check install --require-hashes --no-deps --only-binary :all: --target "$peers/venv" -r "$requirements"
touch "$peers/.ready-$stamp"
echo "peers: ready in $peers"
