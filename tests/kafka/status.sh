#!/usr/bin/env bash
# What gateways are told, on a real Apache Kafka: the command that a worker prints makes the topic;
# transactions, whose markers are offsets without an event, do not look as if something waited; a
# killed worker falls silent, its successor speaks up, and one that is stopped says so. Exit code
# 77: skipped. BINARY=path is tested instead of a release build.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
topic=federation.events

work=$(mktemp -d)
worker=''
cleanup() {
    [ -z "$worker" ] || kill -9 "$worker" 2>/dev/null || true
    "$here/broker.sh" stop "$work/kafka" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

say() { printf -- '-- %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; [ ! -f "$work/worker.log" ] || tail -n 30 "$work/worker.log" >&2; exit 1; }

status=0
brokers=$(CUSTODY_BROKER_PARENT_PID=$$ "$here/broker.sh" start "$work/kafka") || status=$?
[ "$status" -ne 77 ] || exit 77
[ "$status" -eq 0 ] || fail "the broker did not start"
"$here/broker.sh" topic "$work/kafka" $topic 2 >/dev/null 2>&1

custody=${BINARY:-}
if [ -z "$custody" ]; then
    cargo build --release --locked --quiet --manifest-path "$root/Cargo.toml"
    custody="${CARGO_TARGET_DIR:-$root/target}/release/custody"
fi
cd "$work"

run=("$custody" ingest --brokers "$brokers" --topic $topic --archive "$work/archive" --http-listen off
    --status-topic custody.status --kafka-property session.timeout.ms=6000)
start_worker() {
    "${run[@]}" >>"$work/worker.log" 2>&1 &
    worker=$!
}

# newest FROM: what the newest message of each partition says, one a line, of those from the FROM-th on.
# Nothing of them is compacted yet: there are as many messages as offsets.
newest() {
    local end
    end=$("$here/broker.sh" watermarks "$work/kafka" custody.status | cut -d: -f2)
    "$here/broker.sh" tool org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$brokers" \
        --topic custody.status --from-beginning --max-messages "$end" 2>/dev/null >messages.txt
    python3 - "$1" <<'PY'
import json, sys
newest = {}
for line in open("messages.txt").readlines()[int(sys.argv[1]):]:
    status = json.loads(line)
    newest[status["partition"]] = status
for number, status in sorted(newest.items()):
    past = "past" if status.get("end", 0) > status["archived_through"] else "at"
    print(number, status["state"], status["archived_through"], past, "waiting" if "age_ms" in status else "whole")
PY
}
wait_for() { # wait_for WHAT FROM PATTERN: both partitions, as one line
    local until=$((SECONDS + 60)) got=''
    while [ $SECONDS -lt $until ]; do
        got=$(newest "$2" | tr '\n' ' ')
        if [[ $got =~ $3 ]]; then say "$1: $got"; return 0; fi
    done
    fail "$1: $got"
}

say "a status topic that is missing, and the command that makes it"
if "${run[@]}" >out.txt 2>&1; then fail "a missing status topic was accepted"; fi
command=$(grep -o 'kafka-topics.sh .*' out.txt) || fail "no command: $(cat out.txt)"
read -ra arguments <<<"${command#kafka-topics.sh }"
"$here/broker.sh" tool org.apache.kafka.tools.TopicCommand "${arguments[@]}" >/dev/null 2>&1 || fail "$command"

say "transactions"
start_worker
"$here/broker.sh" tool org.apache.kafka.tools.ProducerPerformance --topic $topic --num-records 300 \
    --record-size 100 --throughput 300 --transactional-id status --transaction-duration-ms 100 \
    --producer-props bootstrap.servers="$brokers" batch.size=0 partitioner.ignore.keys=true >/dev/null 2>perf.txt ||
    fail "no transactions: $(cat perf.txt)"
whole='archiving [0-9]+ (past|at) whole'
wait_for "markers do not wait to be archived" 0 "^0 $whole 1 $whole $"
[[ $(newest 0) == *past* ]] || fail "no marker is at the end of a log: nothing was tested"
archived=$(newest 0 | awk '{ sum += $3 } END { print sum }')
[ "$archived" -ge 300 ] || fail "$archived offsets of 300 events and their markers are archived"

say "a killed worker is silent, the next one is not"
kill -9 "$worker"
wait "$worker" 2>/dev/null || true
newest 0 >/dev/null
said=$(wc -l <messages.txt)
newest 0 >/dev/null
[ "$said" -eq "$(wc -l <messages.txt)" ] || fail "a dead worker speaks"
start_worker
wait_for "its successor" "$said" "^0 $whole 1 $whole $"

say "a stopped worker says so"
kill -TERM "$worker"
wait "$worker" || fail "the worker did not stop cleanly"
worker=''
stopped='stopped [0-9]+ (past|at) whole'
wait_for "its last word" "$said" "^0 $stopped 1 $stopped $"
say "done"
