#!/usr/bin/env bash
# The main job on a real Apache Kafka, on real data: import, archive with a
# kill -9 in the middle, counts against an independent count, search, export,
# verify, and the archive read by other engines. Exit code 77: skipped.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
data="$root/../shared/data"
topic=federation.events

work=$(mktemp -d)
worker=''
cleanup() {
    for process in $(jobs -p); do kill -9 "$process" 2>/dev/null || true; done
    for broker in kafka logins rotten; do "$here/broker.sh" stop "$work/$broker" >/dev/null 2>&1 || true; done
    umount "$work/small" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

say() { printf -- '-- %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; [ ! -f "$work/worker.log" ] || tail -n 30 "$work/worker.log" >&2; exit 1; }
equal() { [ "$2" = "$3" ] || fail "$1: expected $2, got $3"; say "$1: $2"; }

if [ ! -f "$data/events/duraspace-2012.jsonl.gz" ]; then
    echo "skipped: the real data is not beside the repository ($data)"
    exit 77
fi
status=0
brokers=$(CUSTODY_BROKER_PARENT_PID=$$ "$here/broker.sh" start "$work/kafka") || status=$?
[ "$status" -ne 77 ] || exit 77
[ "$status" -eq 0 ] || fail "the broker did not start"
"$here/broker.sh" topic "$work/kafka" $topic 4 >/dev/null

cargo build --release --locked --quiet --manifest-path "$root/Cargo.toml"
custody="${CARGO_TARGET_DIR:-$root/target}/release/custody"
archive="$work/archive"
cd "$work"

start_worker() {
    "$custody" run --brokers "$brokers" --topic $topic --archive "$archive" --http-listen 127.0.0.1:0 \
        --batch-bytes-max 256KiB --kafka-property session.timeout.ms=6000 >>"$work/worker.log" 2>&1 &
    worker=$!
}
archived() { "$custody" search 'type:* OR is:quarantined' --archive "$archive" --count 2>/dev/null || echo 0; }
wait_for() { # wait_for RECORDS SECONDS
    local until=$((SECONDS + $2)) got=0
    while [ $SECONDS -lt $until ]; do
        got=$(archived)
        [ "$got" -lt "$1" ] || return 0
        kill -0 "$worker" 2>/dev/null || fail "the worker ended at $got of $1 records"
        sleep 0.3
    done
    fail "$got of $1 records after $2 s"
}

say "a topic that does not exist, a broker that does not answer"
if "$custody" run --brokers "$brokers" --topic missing --archive "$work/none" --http-listen off >out.txt 2>&1; then
    fail "a missing topic was accepted"
fi
grep -q 'topic "missing" does not exist' out.txt || fail "unclear: $(cat out.txt)"

say "import of real data, a worker killed in the middle"
start_worker
"$custody" import skype-db "$data/skype-maindb/skype_main.db" --brokers "$brokers" --topic $topic --tenant contoso.example
"$custody" import events "$data/events/duraspace-2012.jsonl.gz" --brokers "$brokers" --topic $topic >import.txt &
import=$!
wait_for 3000 60
kill -9 "$worker"
wait "$worker" 2>/dev/null || true
say "killed at $(archived) records"
wait $import || fail "the import failed: $(cat import.txt)"
cat import.txt
start_worker

oracle() { python3 "$root/tests/readers/oracle.py" "$@"; }
member() { python3 -c 'import json,sys; v=json.load(sys.stdin)
for k in sys.argv[1].split("."): v=v[k]
print(v)' "$1"; }
oracle events "$data/events/duraspace-2012.jsonl.gz" >irc.json
oracle skype "$data/skype-maindb/skype_main.db" >skype.json
irc=$(member total <irc.json)
# Of the database: one event a message, two a call (invited, ended), one a
# transfer and one more for the one that arrived.
skype=$(($(member messages <skype.json) + 2 * $(member calls <skype.json) + 3))
end_offsets=$("$here/broker.sh" watermarks "$work/kafka" $topic | awk -F: '{ sum += $2 } END { print sum }')
wait_for "$end_offsets" 120

count() { "$custody" search "$1" --archive "$archive" --count; }
equal "records archived, against Kafka's end offsets" "$end_offsets" "$(count 'type:* OR is:quarantined')"
irc_kind() { member "by_kind.$1" <irc.json; }
equal "IRC messages, actions and system notices" \
    "$(($(irc_kind message) + $(irc_kind action) + $(irc_kind system)))" "$(count 'network:irc type:im.message.sent')"
equal "IRC joins and leaves" "$(($(irc_kind join) + $(irc_kind leave)))" \
    "$(count 'network:irc type:conversation.participant')"
equal "IRC records" "$irc" "$(count 'network:irc')"
equal "Skype records" "$skype" "$(count 'tenant:contoso.example')"
equal "all records" "$((irc + skype))" "$end_offsets"
equal "Skype contact requests" 1 "$(count 'tenant:contoso.example type:contact.requested')"
equal "Skype acceptances" 1 "$(count 'tenant:contoso.example type:contact.accepted')"
equal "Skype calls ended" 1 "$(count 'tenant:contoso.example type:call.ended')"
equal "Skype messages and SMS" 13 "$(count 'tenant:contoso.example type:im.message.sent')"
equal "records of the year 2404 kept" 1 "$(count 'date:2404')"

say "searches find known sentences"
equal "try not to spill coffee" 1 "$(count '"try not to spill coffee on it this time"')"
equal "an apostrophe sent as an entity" 1 "$(count "tenant:contoso.example \"I'm here\"")"
equal "a sentence on IRC" "$(gzip -dc "$data/events/duraspace-2012.jsonl.gz" | grep -c 'Welcome to 2012 - Year Of The Troll')" \
    "$(count '"Welcome to 2012 - Year Of The Troll"')"
"$custody" search '"it was an accident"' --archive "$archive"
position=$("$custody" search '"it was an accident"' --archive "$archive" --format jsonl |
    python3 -c 'import json,sys; print(json.loads(sys.stdin.readline())["position"])')
"$custody" show "$position" --archive "$archive" >show.txt
grep -q 'accident' show.txt || fail "show: $(cat show.txt)"

say "health and metrics"
address=$(grep -o 'address=127.0.0.1:[0-9]*' "$work/worker.log" | tail -n 1 | cut -d= -f2)
ask() { python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())' "http://$address/$1"; }
equal "/healthz" ok "$(ask healthz | head -n 1)"
equal "/readyz" ready "$(ask readyz | head -n 1)"
ask metrics >metrics.txt
for metric in custody_ingest_lag_records custody_ingest_lag_seconds custody_ingest_batch_bytes_count \
    custody_ingest_commit_seconds_count custody_ingest_quarantined_records_total custody_ingest_gap_offsets_total \
    custody_index_versions_behind custody_index_catch_up_seconds_count; do
    grep -q "^$metric" metrics.txt || fail "no $metric in /metrics: $(cat metrics.txt)"
done

say "SIGTERM seals, commits and leaves cleanly"
kill -TERM "$worker"
wait "$worker" || fail "the worker did not end cleanly"
worker=''
"$custody" verify --archive "$archive"

say "queries of every kind are answered exactly"
"$custody" verify --archive "$archive" --queries "$here/queries.txt" >exact.txt || fail "verify --queries: $(cat exact.txt)"
tail -n 1 exact.txt
if grep ' 0 events' exact.txt | grep -v 'is:edited OR is:deleted\|is:duplicate$'; then
    fail "queries that find nothing prove little"
fi

say "everything is accounted for, and an auditor can check the statement"
"$custody" reconcile --archive "$archive" --brokers "$brokers" --topic $topic --statement statement.jsonl
python3 - statement.jsonl "$end_offsets" <<'PY'
import hashlib, json, sys
lines = open(sys.argv[1], "rb").read().splitlines(keepends=True)
end = json.loads(lines[-1])
assert end["sha256_before"] == hashlib.sha256(b"".join(lines[:-1])).hexdigest(), end
assert end["lines_before"] == len(lines) - 1, end
said = [json.loads(line) for line in lines[:-1]]
kafka = [line["kafka"] for line in said if line["line"] == "partition"]
assert sum(log["end"] for log in kafka) == int(sys.argv[2]), kafka
assert all(log["next"] == log["end"] for log in kafka), kafka
assert sum(line["manifest"]["rows"] for line in said if line["line"] == "batch") == int(sys.argv[2])
PY
if "$custody" reconcile --archive "$archive" --statement statement.jsonl >out.txt 2>&1; then
    fail "a statement was replaced"
fi
grep -q 'never replaced' out.txt || fail "unclear: $(cat out.txt)"
"$custody" verify statement.jsonl
"$custody" verify statement.jsonl --archive "$archive"
sed '2s/"records":/"records":1/' statement.jsonl >altered.jsonl
head -n -1 statement.jsonl >cut.jsonl
for bad in altered.jsonl cut.jsonl; do
    if "$custody" verify $bad >out.txt 2>&1; then fail "$bad was not refused"; fi
done

say "a production, twice the same, verified without the archive"
for out in one two; do
    "$custody" export 'spill OR accident OR type:call.*' --archive "$archive" --out "$work/$out" --who 'the tests' --why 'to see it' >/dev/null
done
diff -r one two || fail "the same request gave other bytes"
"$custody" verify "$work/one"
printf 'x' >>one/records.jsonl
if "$custody" verify "$work/one" >out.txt 2>&1; then fail "a changed production was not noticed"; fi
grep -q records.jsonl out.txt || fail "the damage is not named: $(cat out.txt)"

say "productions in every format"
productions=0
"$root/tests/productions.sh" "$custody" "$archive" "$data/export-schemas" "$work/productions" || productions=$?
[ $productions -eq 0 ] || [ $productions -eq 77 ] || fail "productions"

say "the index is derived: deleted, it is rebuilt and says so"
rm -rf "$archive/_index"
"$custody" search 'network:irc' --archive "$archive" --count >count.txt 2>rebuilt.txt
equal "records after the rebuild" "$irc" "$(cat count.txt)"
grep -q 'building the index' rebuilt.txt || fail "the rebuild was silent"

say "a message of 10 MB, a login that the broker does not know, a full disk"
python3 - >big.jsonl <<'PY'
import json
print(json.dumps({"specversion": "1.0", "id": "big", "source": "//test", "type": "federation.im.message.sent.v1",
    "time": "2013-05-29T09:15:02Z", "tenant": "big.example", "sequence": "1",
    "data": {"conversation": {"id": "big"}, "message": {"id": "big", "text": "elephant " + "word " * 2000000}}}))
PY
"$here/broker.sh" topic "$work/kafka" large 1 max.message.bytes=20000000 >/dev/null
"$custody" import events big.jsonl --brokers "$brokers" --topic large >/dev/null
if timeout 60 "$custody" run --brokers "$brokers" --topic large --archive "$work/none" --http-listen off \
    --kafka-property security.protocol=SASL_PLAINTEXT --kafka-property sasl.mechanisms=PLAIN \
    --kafka-property sasl.username=nobody --kafka-property sasl.password=s3cr3t >out.txt 2>&1; then
    fail "a login at a broker without logins was accepted"
fi
grep -q 'no Kafka broker answers\|refuses us' out.txt || fail "unclear: $(cat out.txt)"
if grep -q s3cr3t out.txt; then fail "the password was printed"; fi
mkdir small
if mount -t tmpfs -o size=256k tmpfs small 2>/dev/null; then
    if timeout 60 "$custody" ingest --brokers "$brokers" --topic $topic --archive small/archive --group full \
        --http-listen off --retry-age-max 1s >out.txt 2>&1; then
        fail "a full disk was not noticed"
    fi
    grep -q 'No space left' out.txt || fail "unclear: $(tail -n 5 out.txt)"
    mount -o remount,size=64m small
    "$custody" verify --archive small/archive || fail "the archive was damaged by the full disk"
    "$custody" run --brokers "$brokers" --topic large --topic $topic --archive small/archive --group full \
        --http-listen off >>"$work/worker.log" 2>&1 &
    second=$!
    for _ in $(seq 120); do
        got=$("$custody" search 'type:*' --archive small/archive --count 2>/dev/null || echo 0)
        [ "$got" -le "$end_offsets" ] || break
        sleep 0.5
    done
    kill -TERM $second && wait $second || fail "the worker did not end cleanly"
    equal "records after the disk got room" "$((end_offsets + 1))" "$("$custody" search 'type:*' --archive small/archive --count)"
    equal "the 10 MB message" 1 "$("$custody" search 'elephant tenant:big.example' --archive small/archive --count)"
    "$custody" verify --archive small/archive || fail "the archive does not verify"
    umount small
else
    say "SKIPPED: no file system can be mounted here to be filled"
fi

say "a broker with logins: the right password, a wrong one, none"
mkdir logins
cat >logins/extra.properties <<'EOF'
listener.security.protocol.map=PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="custody" password="r1ght" user_custody="r1ght";
EOF
guarded=$(CUSTODY_BROKER_PARENT_PID=$$ "$here/broker.sh" start "$work/logins") || fail "the broker with logins did not start"
cat >client.properties <<'EOF'
security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="custody" password="r1ght";
EOF
"$here/broker.sh" tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$guarded" --command-config client.properties \
    --create --topic large --partitions 1 --replication-factor 1 --config max.message.bytes=20000000 >/dev/null
as() { # as PASSWORD COMMAND...: with a login, which is in a file as operators keep it
    printf '[kafka]\nbrokers = "%s"\ntopics = ["large"]\n[kafka.properties]\n"security.protocol" = "SASL_PLAINTEXT"\n"sasl.mechanisms" = "PLAIN"\n"sasl.username" = "custody"\n"sasl.password" = "%s"\n' \
        "$guarded" "$1" >login.toml
    shift
    timeout 60 "$custody" "$@" --config login.toml >out.txt 2>&1
}
refused() { # refused WHAT STATUS
    [ "$2" -eq 2 ] || fail "$1: exit code $2 instead of 2: $(cat out.txt)"
    grep -q 'refuses us.*Invalid username or password' out.txt || fail "$1: unclear: $(cat out.txt)"
    if grep -q wr0ng out.txt; then fail "$1: the password was printed"; fi
}
status=0; as wr0ng import events big.jsonl --topic large || status=$?
refused "an import with a wrong password" $status
status=0; as wr0ng run --archive "$work/none" --http-listen off || status=$?
refused "a worker with a wrong password" $status
if timeout 60 "$custody" run --brokers "$guarded" --topic large --archive "$work/none" --http-listen off >out.txt 2>&1; then
    fail "a worker without a login was accepted"
fi
grep -q 'no Kafka broker answers.*credentials' out.txt || fail "unclear: $(cat out.txt)"
[ ! -e none/_delta_log ] || [ -z "$(ls none/*.parquet none/retention_class=* 2>/dev/null)" ] || fail "something was archived without a login"
as r1ght import events big.jsonl --topic large || fail "the right password was refused: $(cat out.txt)"
"$custody" run --config login.toml --archive "$work/guarded" --http-listen off >>worker.log 2>&1 &
second=$!
for _ in $(seq 120); do
    [ "$("$custody" search elephant --archive guarded --count 2>/dev/null || echo 0)" -eq 0 ] || break
    sleep 0.5
done
kill -TERM $second && wait $second || fail "the worker with a login did not end cleanly"
equal "records through a login" 1 "$("$custody" search elephant --archive guarded --count)"
"$custody" verify --archive guarded || fail "the archive behind the login does not verify"
if grep -q r1ght worker.log; then fail "the password was logged"; fi
"$here/broker.sh" stop "$work/logins"

say "messages that cannot be read: altered on the broker's disk, or larger than the client takes"
rotten=$(CUSTODY_BROKER_PARENT_PID=$$ "$here/broker.sh" start "$work/rotten") || fail "the broker whose disk rots did not start"
for name in altered unknown sound; do
    CUSTODY_BROKER_PARENT_PID=$$ "$here/broker.sh" topic "$work/rotten" $name 1 max.message.bytes=20000000 >/dev/null
done
event() { # event ID TEXT REPEATED: one event
    python3 - "$@" <<'PY'
import json, sys
name, text, repeated = sys.argv[1], sys.argv[2], int(sys.argv[3])
print(json.dumps({"specversion": "1.0", "id": name, "source": "//test", "type": "federation.im.message.sent.v1",
    "time": "2013-05-29T09:15:02Z", "tenant": "rotten.example",
    "data": {"conversation": {"id": name}, "message": {"id": name, "text": text * repeated}}}))
PY
}
publish() { "$custody" import events - --brokers "$rotten" --topic "$1" >/dev/null || fail "nothing was published to $1"; }
for name in altered unknown sound; do
    for number in 1 2 3; do event "$name$number" "turnip " 1 | publish $name; done
done
"$here/broker.sh" stop "$work/rotten"
# The second batch of each: a byte of an event, and the byte that says in which format it is.
python3 - rotten/data/altered-0 rotten/data/unknown-0 <<'PY' || fail "the broker's log is not what it was thought to be"
import glob, os, shutil, struct, sys
for folder in sys.argv[1:]:
    [path] = glob.glob(f"{folder}/*.log")
    shutil.copy(path, os.path.basename(folder))
    with open(path, "rb") as file:
        log = bytearray(file.read())
    first = 12 + struct.unpack(">i", log[8:12])[0]
    base, length = struct.unpack(">qi", log[first:first + 12])
    assert base == 1 and log[first + 16] == 2
    if "altered" in folder:
        log[first + 12 + length - 9] ^= 1
    else:
        log[first + 16] = 3
    with open(path, "wb") as file:
        file.write(log)
PY
start_rotten() { CUSTODY_BROKER_PARENT_PID=$$ "$here/broker.sh" start "$work/rotten" >/dev/null || fail "the broker whose disk rots did not start again"; }
start_rotten
"$custody" run --brokers "$rotten" --topic altered --topic unknown --topic sound --archive rescued --http-listen off >rescued.txt 2>&1 &
second=$!
turnips() { "$custody" search "$1" --archive rescued --count 2>/dev/null || echo 0; }
until_turnips() { # until_turnips COUNT QUERY
    for _ in $(seq 180); do
        [ "$(turnips "$2")" -ne "$1" ] || return 0
        sleep 0.5
    done
    fail "$2: $(turnips "$2") instead of $1: $(tail -n 5 rescued.txt)"
}
for _ in $(seq 120); do
    [ "$(grep -c 'NOT ARCHIVED' rescued.txt)" -lt 2 ] || break
    sleep 0.5
done
grep -q 'NOT ARCHIVED: partition 0 of topic altered has messages from offset 1 on that are not what their checksum says' rescued.txt ||
    fail "an altered message was not noticed: $(tail -n 5 rescued.txt)"
grep -q 'NOT ARCHIVED: partition 0 of topic unknown has messages from offset 1 on that are in a format' rescued.txt ||
    fail "a message of an unknown format was not noticed: $(tail -n 5 rescued.txt)"
event sound4 "turnip " 1 | publish sound
until_turnips 6 turnip
if "$custody" reconcile --archive rescued --brokers "$rotten" --topic unknown >out.txt 2>&1; then fail "all is accounted for: $(cat out.txt)"; fi
grep -q 'messages from offset 1 to its end 3 that are not archived' out.txt || fail "unclear: $(cat out.txt)"
"$here/broker.sh" stop "$work/rotten"
for name in altered unknown; do mv $name-0 rotten/data/$name-0/*.log; done
start_rotten
until_turnips 10 turnip
kill -TERM $second && wait $second || fail "the worker did not end cleanly"
# Three million bytes that take a few thousand: more than this client takes.
event large "swede " 500000 | publish sound
"$custody" run --brokers "$rotten" --topic sound --archive rescued --http-listen off \
    --kafka-property receive.message.max.bytes=2000000 --kafka-property fetch.max.bytes=1000000 >rescued.txt 2>&1 &
second=$!
for _ in $(seq 120); do
    grep -q 'NOT ARCHIVED' rescued.txt && break || sleep 0.5
done
kill -TERM $second && wait $second || fail "the worker did not end cleanly"
grep -q 'NOT ARCHIVED: partition 0 of topic sound has messages from offset 4 on that cannot be decompressed.*receive.message.max.bytes' rescued.txt ||
    fail "unclear: $(tail -n 5 rescued.txt)"
"$custody" run --brokers "$rotten" --topic sound --archive rescued --http-listen off >rescued.txt 2>&1 &
second=$!
until_turnips 1 swede
kill -TERM $second && wait $second || fail "the worker did not end cleanly"
"$custody" verify --archive rescued || fail "the archive of what could not be read for a while does not verify"
"$custody" reconcile --archive rescued --brokers "$rotten" --topic unknown --topic altered --topic sound >out.txt 2>&1 ||
    fail "not all is accounted for: $(cat out.txt)"
"$here/broker.sh" stop "$work/rotten"

say "an archive folder that we may not write"
cp "$custody" unprivileged && chmod 755 unprivileged "$work"
mkdir forbidden && chmod 555 forbidden
# The rights of a folder do not bind root.
plain() { if [ "$(id -u)" -eq 0 ]; then setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; else "$@"; fi; }
if [ "$(id -u)" -eq 0 ] && ! plain true 2>/dev/null; then
    say "SKIPPED: we are root and cannot be anyone else here"
else
    status=0
    plain timeout 60 ./unprivileged run --brokers "$brokers" --topic large --archive "$work/forbidden/archive" \
        --http-listen off >out.txt 2>&1 || status=$?
    equal "exit code without the right to make the folder" 2 "$status"
    grep -q "$work/forbidden/archive: Permission denied" out.txt || fail "unclear: $(cat out.txt)"
    # The archive is readable and stays as it is.
    cp -r guarded readable && chmod -R a+rX,a-w readable
    status=0
    plain timeout 60 ./unprivileged ingest --brokers "$brokers" --topic $topic --archive "$work/readable" \
        --http-listen off --retry-age-max 1s >out.txt 2>&1 || status=$?
    [ "$status" -ne 0 ] && [ "$status" -ne 124 ] || fail "no right to write was not noticed (exit code $status)"
    grep -q 'Permission denied' out.txt || fail "unclear: $(cat out.txt)"
    if grep -q panicked out.txt; then fail "a panic: $(cat out.txt)"; fi
    "$custody" verify --archive readable || fail "the archive was damaged by a worker that may not write"
    equal "records that are still there" 1 "$("$custody" search elephant --archive readable --count)"
    chmod -R u+w readable
fi

say "other engines read the archive"
status=0
python=$("$root/tests/readers/setup.sh") || status=$?
if [ "$status" -eq 77 ]; then
    say "SKIPPED: deltalake and duckdb cannot be installed here"
elif [ "$status" -ne 0 ]; then
    fail "tests/readers/setup.sh failed"
else
    "$python" "$root/tests/readers/delta_reader.py" "$archive" >readers.json || fail "the readers do not agree"
    for engine in deltalake duckdb; do
        equal "rows read by $engine" "$end_offsets" "$(member "$engine.rows" <readers.json)"
    done
    "$python" "$root/tests/readers/leaves.py" "$archive" >leaves.json || fail "the archive is not proven without Custody"
    equal "records whose hashes and roots are proven without Custody" "$end_offsets" "$(member records <leaves.json)"
    templates=$(member templates <leaves.json)
    [ "$templates" -gt 0 ] || fail "no payload was kept as a template"
    say "payloads put together from templates by Python: $templates"
fi
say "done"
# Skipped is counted, when everything else has passed.
exit $productions
