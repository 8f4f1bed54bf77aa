#!/usr/bin/env python3
"""Proves a Custody archive without Custody: every payload put together from its
template and columns, every leaf hash made anew, every batch's Merkle root compared
with the manifest in its file's footer and in its commit.

    leaves.py ARCHIVE

Written from ARCHITECTURE.md ("Formats"), not from the Rust code. Prints one JSON
object: records, gaps (which have a row each), batches, templates (payloads that were
put together) and bytes of payload. Exit codes: 0 all is proven, 1 something is not, 2 called wrongly.
"""

import datetime
import hashlib
import json
import os
import re
import struct
import sys

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq

TEXTS = dict(
    b="body", c="conversation_id", d="detail", i="id", k="conversation_kind", l="title", m="message_id",
    n="tenant", r="in_reply_to", s="source", u="client", x="content_type", y="type",
)
PARTY = dict(n="network", a="address", d="name", r="role", s="scope")
CALL = dict(i="id", r="reason", d="diagnostics", q="quality", v="invite_time", a="answer_time",
            e="end_time", c="response_code", f="from_message_count", t="to_message_count")
FILE = dict(i="id", n="name", m="media_type", h="sha256", r="ref", z="size")
# A mark, a name, and for times a digit.
HOLE = re.compile("([\x01\x02\x03])(?:P(.)([a-z])|C([vae])([0-6])|C([a-z])|F([a-z])|t([0-6])|([a-z]))", re.S)


EPOCH = datetime.datetime(1970, 1, 1)


def time_text(us, digits):
    time = EPOCH + datetime.timedelta(microseconds=us)
    text = time.isoformat(timespec="seconds")[:19]
    return text + (f".{time.microsecond:06}"[: int(digits) + 1] if int(digits) else "") + "Z"


def numbers(kind):
    """Times as microseconds: some are in years that Python does not have."""
    if pa.types.is_timestamp(kind):
        return pa.int64()
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(numbers(field.type)) for field in kind])
    return kind


def escaped(match):
    units = match.group(0).encode("utf-16-be")
    return "".join(f"\\u{units[n:n + 2].hex()}" for n in range(0, len(units), 2))


def payload(row):
    """The payload as consumed."""
    if row["template"] is None:
        return row["payload"]

    def value(hole):
        mark, party, member, call_time, call_digits, call, file, digits, column = hole.groups()
        if party is not None:
            found = row["parties"][ord(party) - 0x30][PARTY[member]]
        elif call_time is not None:
            found = time_text(row["call"][CALL[call_time]], call_digits)
        elif call is not None:
            found = row["call"][CALL[call]]
        elif file is not None:
            found = row["file"][FILE[file]]
        elif digits is not None:
            found = time_text(row["event_time"], digits)
        else:
            found = row["sequence"] if column == "q" else row[TEXTS[column]]
        if found is None:
            raise ValueError(f"a hole for a value that is not there: {hole.group(0)!r}")
        if mark == "\x01":
            return str(found)
        text = json.dumps(found, ensure_ascii=False)
        return re.sub("[^\x00-\x7f]", escaped, text) if mark == "\x03" else text

    template = row["template"]
    return HOLE.sub(value, template[2:] if template.startswith("\x04") else template).encode()


def key(row):
    """The key as consumed."""
    template = row["template"]
    if template is None or not template.startswith("\x04"):
        return row["key"]
    if row[TEXTS[template[1]]] is None:
        raise ValueError("a key that is not there")
    return row[TEXTS[template[1]]].encode()


def field(data):
    return b"\xff" * 4 if data is None else struct.pack(">I", len(data)) + data


def leaf(row, payload_bytes):
    broker_time = row["broker_time"]
    if broker_time is not None:
        broker_time = struct.pack(">q", broker_time // 1000)
    headers = row["headers"] or []
    fields = [field(row["topic"].encode()), field(struct.pack(">i", row["generation"]))]
    fields += [field(struct.pack(">i", row["partition"])), field(struct.pack(">q", row["offset"]))]
    fields += [field(broker_time), field(key(row)), struct.pack(">I", len(headers))]
    for header in headers:
        fields += [field(header["name"].encode()), field(header["value"])]
    payload_hash = None if payload_bytes is None else hashlib.sha256(payload_bytes).digest()
    return hashlib.sha256(b"\0custody.leaf.v1" + b"".join(fields) + field(payload_hash)).digest()


def root(leaves):
    """RFC 6962 section 2.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = leaves
    while len(level) > 1:
        pairs = [hashlib.sha256(b"\1" + level[n] + level[n + 1]).digest() for n in range(0, len(level) - 1, 2)]
        level = pairs + ([level[-1]] if len(level) % 2 else [])
    return level[0]


def live(archive):
    """Live files by path, from the log: each with its batches, as (manifest, first row)."""
    log = os.path.join(archive, "_delta_log")
    found = {}
    for name in sorted(os.listdir(log)):
        if re.fullmatch(r"\d{20}\.json", name):
            with open(os.path.join(log, name), encoding="utf-8") as lines:
                for line in lines:
                    custody = json.loads(line).get("commitInfo", {}).get("custody")
                    if custody:
                        record = json.loads(custody)
                        # A compaction moves batches to another file and changes nothing of them; accepting that a
                        # topic was made again has none.
                        for path in record.get("compacted", {}).get("replaces", []):
                            del found[path]
                        if "file" in record:
                            found[record["file"]["path"]] = record
    return found


def batches(record):
    """Manifests of a file, in order of their rows."""
    if record["kind"] == "batch":
        return [record["manifest"]]
    return [batch["manifest"] for batch in record["compacted"]["batches"]]


def check(archive, path, record, found, problems):
    full = os.path.join(archive, path)
    with open(full, "rb") as file:
        if hashlib.sha256(file.read()).hexdigest() != record["file"]["sha256"]:
            problems.append(f"{path}: its SHA-256 is not the one in its commit")
    file = pq.ParquetFile(full)
    key = "manifest" if record["kind"] == "batch" else "compacted"
    if json.loads(file.metadata.metadata[b"custody." + key.encode()]) != record[key]:
        problems.append(f"{path}: its footer and its commit say other things")
    leaves = []
    # A gap's row stands at the first of its offsets, and what makes it one is the manifest.
    lost = {(part["topic"], part["generation"], part["partition"], gap["from"])
            for manifest in batches(record) for part in manifest["parts"] for gap in part.get("gaps", [])}
    found["gaps"] += len(lost)
    gaps = len(lost)
    for batch in file.iter_batches(batch_size=4096):
        fields = [field.with_type(numbers(field.type)) for field in batch.schema]
        for row in pa.Table.from_batches([batch]).cast(pa.schema(fields)).to_pylist():
            whole = payload(row)
            leaves.append(leaf(row, whole))
            # 4 bytes of the leaf; 8 in the first files.
            if row["leaf_check"] not in struct.unpack(">I", leaves[-1][:4]) + struct.unpack(">q", leaves[-1][:8]):
                problems.append(f"{path}: record {row['topic']}:{row['generation']}:{row['partition']}:{row['offset']}")
            at = (row["topic"], row["generation"], row["partition"], row["offset"])
            if (row["status"] == "gap") != (at in lost):
                problems.append(f"{path}: {at} is a gap in the table or in the manifest, not in both")
            lost.discard(at)
            found["templates"] += row["template"] is not None
            found["payload_bytes"] += len(whole or b"")
    for at in lost:
        problems.append(f"{path}: the row of the gap at {at} is missing")
    found["records"] += len(leaves) - gaps
    next_row = 0
    for manifest in batches(record):
        own = leaves[next_row : next_row + manifest["rows"]]
        next_row += manifest["rows"]
        found["batches"] += 1
        if root(own).hex() != manifest["root"] or len(own) != manifest["rows"]:
            problems.append(f"{path}: the records of batch {manifest['batch']} do not make its root")
    if next_row != len(leaves):
        problems.append(f"{path}: has other records than its batches")


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    archive = sys.argv[1]
    found = dict(records=0, gaps=0, batches=0, templates=0, payload_bytes=0)
    problems = []
    recorded = live(archive)
    files = deltalake.DeltaTable(archive).file_uris()
    if len(files) != len(recorded):
        problems.append(f"{len(files)} live files, {len(recorded)} in the log's records")
    for path, record in recorded.items():
        check(archive, path, record, found, problems)
    print(json.dumps(found))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
