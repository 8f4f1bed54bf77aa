#!/usr/bin/env bash
# Memory is bounded by settings, whatever the input: a worker on a real Kafka, its largest resident size
# measured. Exit code 77: skipped, with the reason.
#
#   CUSTODY_MEMORY_EVENTS   events of the backlog (500000; in full 10000000)
#   CUSTODY_MEMORY_LARGE    messages of 10 MB (20)
#   CUSTODY_MEMORY_RUNS     which ("wide backlog slow large both")
#
# The limit: what the settings allow to be held, and 256 MiB. Held are kafka.queue_bytes_max fetched
# ahead, and four batches of batch.bytes_max, each with up to two messages more; where
# the index is made beside it also a split of the largest size, and those that it is made of.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
events=${CUSTODY_MEMORY_EVENTS:-500000}
large=${CUSTODY_MEMORY_LARGE:-20}
runs=" ${CUSTODY_MEMORY_RUNS:-wide backlog slow large both} "
# Custody refuses variables of its own prefix that it does not know.
unset CUSTODY_MEMORY_EVENTS CUSTODY_MEMORY_LARGE CUSTODY_MEMORY_RUNS
work=$(mktemp -d)
worker=''
cleanup() {
    [ -z "$worker" ] || kill -9 "$worker" 2>/dev/null || true
    "$here/broker.sh" stop "$work/kafka" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

say() { printf -- '-- %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; tail -n 20 "$work/worker.log" >&2; exit 1; }

status=0
brokers=$(CUSTODY_BROKER_PARENT_PID=$$ "$here/broker.sh" start "$work/kafka") || status=$?
[ "$status" -eq 0 ] || exit "$status"
python=$("$here/killed/setup.sh") || exit $?
cargo build --release --locked --quiet --manifest-path "$root/Cargo.toml"
custody="${CARGO_TARGET_DIR:-$root/target}/release/custody"

# through WHAT MEMBER: the last number that a line of the log says.
through() {
    local last
    last=$(sed -n "s/.* $1 .*\\b$2=\\([0-9]*\\).*/\\1/p" "$work/worker.log" | tail -n 1)
    echo "${last:-0}"
}

# run COMMAND NAME TOPIC RECORDS LIMIT_MIB [PRELOAD]: archives a topic and says how large the worker became.
run() {
    local command=$1 name=$2 topic=$3 records=$4 limit=$5 got=0 peak
    local until=$((SECONDS + 900 + records / 5000))

    LD_PRELOAD=${6:-} "$custody" "$command" --brokers "$brokers" --topic "$topic" --group "$name" --archive "$work/$name" \
        --http-listen 127.0.0.1:0 >"$work/worker.log" 2>&1 &
    worker=$!
    until [ "$got" -ge "$records" ]; do
        sleep 1
        kill -0 "$worker" 2>/dev/null || fail "$name: the worker ended at $got of $records"
        [ "$SECONDS" -lt "$until" ] || fail "$name: $got of $records records in time"
        got=$(sed -n 's/.* archived .* records=\([0-9]*\) .*/\1/p' "$work/worker.log" | awk '{ sum += $1 } END { print sum + 0 }')
    done
    # What is archived last is indexed last, and then splits are joined.
    until [ "$command" != run ] || [ "$(through indexed through)" -ge "$(through archived version)" ]; do
        sleep 1
        kill -0 "$worker" 2>/dev/null || fail "$name: the worker ended before all was indexed"
        [ "$SECONDS" -lt "$until" ] || fail "$name: not indexed in time"
    done
    peak=$(($(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$worker/status") / 1024))
    kill -TERM "$worker"
    wait "$worker" || fail "$name: the worker did not end cleanly"
    worker=''
    say "$name: $records records, at most $peak MiB resident, limit $limit MiB"
    [ "$peak" -le "$limit" ] || fail "$name: $peak MiB are more than $limit"
    "$custody" verify --archive "$work/$name" >"$work/verify.txt" || fail "$name: $(cat "$work/verify.txt")"
}

# publish TOPIC PARTITIONS RECORDS BYTES [CONFIG]
publish() {
    "$here/broker.sh" topic "$work/kafka" "$1" "$2" ${5:+"$5"}
    "$python" "$here/publish.py" "$brokers" "$1" "$3" "$4" "$2"
}
wants() { [[ $runs == *" $1 "* ]]; }

# 32 MiB ahead, 4 batches of 16 MiB.
held=$((32 + 64))
if wants wide; then
    publish wide 500 "$events" 540
    run ingest wide wide "$events" $((held + 256))
fi
if wants backlog || wants slow || wants both; then
    publish narrow 4 "$events" 540
fi
if wants backlog; then
    run ingest backlog narrow "$events" $((held + 256))
fi
if wants slow; then
    # What waits for a slow disk is not read on for.
    "${CC:-cc}" -shared -fPIC -O1 -o "$work/slow.so" "$here/slow.c" -ldl
    run ingest slow narrow "$events" $((held + 256)) "$work/slow.so"
fi
if wants large; then
    publish large 2 "$large" 10000000 max.message.bytes=20000000
    # A batch is full with its second message, and one more may be under way when reading pauses: 30 MB.
    run ingest large large "$large" $((32 + 115 + 256))
fi
if wants both; then
    # The index beside it: splits that become one of up to 500,000 records, and that one, 50 MiB each.
    run run both narrow "$events" $((held + 100 + 256))
fi
