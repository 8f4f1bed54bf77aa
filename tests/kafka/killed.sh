#!/usr/bin/env bash
# The real thing, killed: Custody on three real Kafka brokers, under load, while
# workers are killed, brokers are killed, restarted and paused, segments and
# topics deleted, transactions aborted, and a disk filled. A producer of its own
# notes the position of each acknowledged event. Each scenario ends with: it goes
# on by itself, `custody verify` passes, every offset has a fate, counts by type
# are those that were acknowledged, and each record stands at its position with
# its bytes. After kills of workers, queries of every kind (killed/queries.txt) find by the index what
# reading the archive finds.
#
#   killed.sh                   all scenarios, one line each
#
#   CUSTODY_KILLED_ONLY         names of scenarios, with spaces: killed-worker two-workers killed-leader
#                               paused-broker deleted-segments recreated-topic transactions full-disk
#   CUSTODY_KILLS (30)          times that killed-worker kills; two-workers kills a fifth of it
#   CUSTODY_KILL_SECONDS (1.5)  a worker lives at most that long after the moment that it is waited for
#   CUSTODY_PAUSE_SECONDS (15)  how long paused-broker stops a broker; a broker's session is 3 s
#   CUSTODY_KILLED_LOAD (1500)  events per second
#   CUSTODY_KILLED_SEED         of moments and events; random if not set, and printed
#   CUSTODY_KILLED_DIR          where logs and archives are kept, whatever happens. Not set, they are in
#                               a folder that stays only when something failed
#   CARGO_TARGET_DIR            where the binary is built, `target` if not set
#
# About 7 minutes with two cores and 1.5 GB of memory; with CUSTODY_KILLS=5 and
# CUSTODY_PAUSE_SECONDS=8 about half of it.
#
# Exit codes: 0 passed; 1 failed, with what differs; 77 skipped, tools are missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

kept=${CUSTODY_KILLED_DIR:-}
if [ -n "$kept" ]; then
  mkdir -p "$kept"
  work=$(cd "$kept" && pwd)
  [ -z "$(ls -A "$work")" ] || { echo "killed.sh: $work is not empty" >&2; exit 1; }
else
  work=$(mktemp -d)
fi
passed=''
cleanup() {
  # They hold nothing that is needed again: no time is spent on their leaving in order.
  for node in 1 2 3; do "$here/cluster.sh" kill "$work/kafka" $node >/dev/null 2>&1 || true; done
  "$here/cluster.sh" stop "$work/kafka" >/dev/null 2>&1 || true
  umount -l "$work/small" 2>/dev/null || true
  if [ -n "$passed" ] && [ -z "$kept" ]; then rm -rf "$work"; else echo "logs and archives are in $work"; fi
}
trap cleanup EXIT

skipped() { passed=yes; exit 77; }
status=0
python=$("$here/killed/setup.sh") || status=$?
[ "$status" -ne 77 ] || skipped
[ "$status" -eq 0 ] || exit 1
brokers=$(CUSTODY_BROKER_PARENT_PID=$$ "$here/cluster.sh" start "$work/kafka") || status=$?
[ "$status" -ne 77 ] || skipped
[ "$status" -eq 0 ] || exit 1

cargo build --release --locked --quiet --manifest-path "$root/Cargo.toml"
custody="${CARGO_TARGET_DIR:-$root/target}/release/custody"

CUSTODY_BROKER_PARENT_PID=$$ PYTHONDONTWRITEBYTECODE=1 \
  "$python" "$here/killed/main.py" "$work" "$custody" "$here/cluster.sh" "$work/kafka" "$brokers"
passed=yes
