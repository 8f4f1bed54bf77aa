#!/usr/bin/env bash
# Makes the Python environment of the foreign readers, once, in the user's
# cache folder, and prints the path of its python.
#
# Standard output is that path, everything else is on standard error.
# Exit codes: 0 done; 1 failed; 77 skipped, tools are missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
say() { echo "setup.sh: $*" >&2; }
skip() { say "skipped: python3.11 or later with venv and pip is needed for the reader tests ($*)"; exit 77; }

command -v python3 >/dev/null || skip "no python3"
version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || skip "python3 does not run"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || skip "python3 is $version"
python3 -c 'import venv, ensurepip' 2>/dev/null || skip "python3 has no venv or no ensurepip"

sum=$(cksum <"$here/requirements.txt" | cut -d ' ' -f 1)
cache=${XDG_CACHE_HOME:-${HOME:?neither XDG_CACHE_HOME nor HOME is set}/.cache}/custody-readers
ready=$cache/python$version-$sum

# The environment appears under its final name in one rename, so a broken one
# is never used. Only bin/python is used in it, and that one may be moved.
if [ ! -x "$ready/bin/python" ]; then
  say "installing the readers, once, into $ready"
  mkdir -p "$cache"
  fresh=$(mktemp -d "$cache/fresh.XXXXXX")
  trap 'rm -rf "$fresh"' EXIT
  python3 -m venv "$fresh" >&2 || skip "python3 -m venv failed"
  "$fresh/bin/python" -m pip --version >/dev/null || skip "no pip"
  "$fresh/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
    --only-binary :all: --no-deps -r "$here/requirements.txt" >&2 ||
    { say "pip could not install the readers"; exit 1; }
  "$fresh/bin/python" -c 'import deltalake, duckdb, pyarrow, openpyxl, jsonschema, lxml, cryptography' >&2 ||
    { say "the readers do not import"; exit 1; }
  # If another setup was faster, mv puts ours inside the directory it made.
  rm -rf "$ready.broken"
  [ ! -e "$ready" ] || [ -x "$ready/bin/python" ] || mv "$ready" "$ready.broken"
  mv "$fresh" "$ready"
  rm -rf "$ready/${fresh##*/}" "$ready.broken"
fi
echo "$ready/bin/python"
