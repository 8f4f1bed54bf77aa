#!/usr/bin/env bash
# Prints the folder of pdftotext, pdfinfo and pdffonts: the system's, else Debian's package, unpacked
# once into the user's cache folder.
#
# Exit codes: 0 done; 77 skipped, they cannot be had.
set -euo pipefail

skip() { echo "poppler.sh: skipped: poppler's tools are needed to read PDF ($*)" >&2; exit 77; }

found=$(command -v pdftotext || true)
if [ -n "$found" ] && command -v pdfinfo >/dev/null && command -v pdffonts >/dev/null; then
  dirname "$found"
  exit 0
fi
command -v apt-get >/dev/null && command -v dpkg >/dev/null || skip 'neither installed nor a Debian system'
cache=${XDG_CACHE_HOME:-${HOME:?neither XDG_CACHE_HOME nor HOME is set}/.cache}/custody-readers
mkdir -p "$cache"

# The folder gets its name in one rename, so a broken download is never used.
if [ ! -x "$cache/poppler/bin/pdftotext" ]; then
  fresh=$(mktemp -d "$cache/fresh.XXXXXX")
  trap 'rm -rf "$fresh"' EXIT
  # What the system has already is used: another libc would not fit its loader.
  apt-get -s install --no-install-recommends poppler-utils 2>/dev/null |
    sed -n 's/^Inst \([^ ]*\) .*/\1/p' >"$fresh/names"
  [ -s "$fresh/names" ] || skip "Debian's package is not known: apt-get update"
  (cd "$fresh" && xargs apt-get download <names) >"$cache/apt.log" 2>&1 ||
    skip "Debian's package cannot be had, see $cache/apt.log"
  for package in "$fresh"/*.deb; do dpkg -x "$package" "$fresh/poppler"; done
  mkdir -p "$fresh/poppler/bin"
  for tool in pdftotext pdfinfo pdffonts; do
    cat >"$fresh/poppler/bin/$tool" <<'TOOL'
#!/usr/bin/env bash
root=$(cd "$(dirname "$0")/.." && pwd)
LD_LIBRARY_PATH=$(find "$root/usr/lib" "$root/lib" -name '*.so*' -exec dirname {} + 2>/dev/null | sort -u | paste -sd:)
export LD_LIBRARY_PATH
exec "$root/usr/bin/$(basename "$0")" "$@"
TOOL
    chmod +x "$fresh/poppler/bin/$tool"
  done
  "$fresh/poppler/bin/pdftotext" -v >/dev/null 2>&1 || skip 'the unpacked ones do not start'
  rm -rf "$cache/poppler"
  mv "$fresh/poppler" "$cache/poppler"
fi
echo "$cache/poppler/bin"
