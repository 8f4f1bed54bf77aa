#!/usr/bin/env python3
"""Reads a Custody archive with readers that are not Custody's.

    delta_reader.py ARCHIVE [--engine deltalake|duckdb|both] [--version V] [--txn APP_ID]...

`deltalake` (delta-rs) reads the table by itself. `duckdb` reads the Parquet
files that the log says are live, because its own Delta extension is a
download; so the log has one foreign reader here and the files have two.

Prints one JSON object: engine name to what that engine saw, and `agree` when
both were asked. All rows are in the order of topic, generation, partition,
offset. A hash over a column is SHA-256 over each value of that order in turn:
its length as 8 bytes big-endian and its bytes (text in UTF-8, a number in decimal),
and for a null eight bytes 0xff.

Exit codes: 0 read (and both agree), 1 not readable or no agreement, 2 called
wrongly.
"""

import argparse
import hashlib
import json
import os
import sys
import urllib.parse

import deltalake
import duckdb
import pyarrow as pa

POSITION = ["topic", "generation", "partition", "offset"]
COLUMNS = POSITION + ["status", "type", "event_time", "body", "template", "payload", "leaf_check"]
SAMPLES = 3
BATCH_ROWS = 10_000
# These change which rows a Parquet file holds, or what its columns are called,
# and duckdb is not told.
UNREADABLE_FEATURES = {"deletionVectors", "columnMapping"}


class Unreadable(Exception):
    pass


class ColumnHash:
    def __init__(self):
        self.sha256 = hashlib.sha256()

    def add(self, value):
        if value is None:
            self.sha256.update(b"\xff" * 8)
            return
        data = str(value).encode() if isinstance(value, (str, int)) else value
        self.sha256.update(len(data).to_bytes(8, "big"))
        self.sha256.update(data)


def multiset_sha256(digests):
    """One hash for many texts whatever their order; oracle.py has the same."""
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def count(counts, key):
    counts[key] = counts.get(key, 0) + 1


def summary(rows):
    """What a test compares, from rows as tuples in the order of COLUMNS."""
    total, duplicates, spans, previous = 0, 0, {}, None
    by_type, by_status, nulls, samples, times = {}, {}, dict.fromkeys(COLUMNS, 0), [], []
    hashes = {name: ColumnHash() for name in ("body", "template", "payload", "leaf_check")}
    body_digests = {}
    for row in rows:
        value = dict(zip(COLUMNS, row))
        total += 1
        for name in COLUMNS:
            nulls[name] += value[name] is None
        position = tuple(value[name] for name in POSITION)
        duplicates += position == previous
        previous = position
        # Offsets rise within a partition: the first is the least. Null comes last.
        span = spans.setdefault(position[:3], {"from": position[3], "to": None, "rows": 0})
        if position[3] is not None:
            span["to"] = position[3] + 1
        span["rows"] += 1
        kind = "null" if value["type"] is None else value["type"]
        count(by_type, kind)
        count(by_status, "null" if value["status"] is None else value["status"])
        for name, column in hashes.items():
            column.add(value[name])
        body_digests.setdefault(kind, []).append(hashlib.sha256((value["body"] or "").encode()).digest())
        if value["event_time"] is not None:
            times.append(value["event_time"])
        if len(samples) < SAMPLES:
            samples.append(value["body"])
    return {
        "rows": total,
        "duplicate_positions": duplicates,
        "by_type": dict(sorted(by_type.items())),
        "by_status": dict(sorted(by_status.items())),
        "nulls": nulls,
        "event_time_us": [min(times), max(times)] if times else None,
        "spans": [
            {"topic": topic, "generation": generation, "partition": partition, **span}
            for (topic, generation, partition), span in spans.items()
        ],
        "bodies_sha256": hashes["body"].sha256.hexdigest(),
        "templates_sha256": hashes["template"].sha256.hexdigest(),
        "payloads_sha256": hashes["payload"].sha256.hexdigest(),
        "leaf_checks_sha256": hashes["leaf_check"].sha256.hexdigest(),
        "bodies_by_type": {kind: multiset_sha256(body_digests[kind]) for kind in sorted(body_digests)},
        "sample_bodies": samples,
    }


def require_columns(present):
    missing = [name for name in COLUMNS if name not in present]
    if missing:
        raise Unreadable(f"no column {', '.join(missing)} among {', '.join(sorted(present))}")


def microseconds(time_type):
    """Timestamps as microseconds: whole numbers compare alike in every engine."""
    if not pa.types.is_timestamp(time_type):
        raise Unreadable(f"event_time is {time_type}, not a timestamp")
    return pa.timestamp("us", tz=time_type.tz)


def read_deltalake(table):
    dataset = table.to_pyarrow_dataset()
    require_columns(set(dataset.schema.names))
    rows = dataset.to_table(columns=COLUMNS).sort_by([(name, "ascending") for name in POSITION])
    place = COLUMNS.index("event_time")
    times = rows.column(place).cast(microseconds(rows.schema.field(place).type)).cast(pa.int64())
    rows = rows.set_column(place, "event_time", times)
    for batch in rows.to_batches(max_chunksize=BATCH_ROWS):
        yield from zip(*(column.to_pylist() for column in batch.columns))


def live_files(table):
    """The live files as the file system names them. file_uris() encodes the
    folder of the table and not what follows it."""
    encoded = urllib.parse.urlparse(table.table_uri).path.rstrip("/") + "/"
    files = []
    for uri in table.file_uris():
        path = uri.removeprefix("file://")
        if path.startswith(encoded):
            path = urllib.parse.unquote(encoded) + path[len(encoded):]
        files.append(path)
    return files


# Columns that come from a folder name are text: they get their type here.
DUCKDB_COLUMNS = {
    "topic": "CAST(topic AS VARCHAR)",
    "generation": "CAST(generation AS INTEGER)",
    "partition": 'CAST("partition" AS INTEGER)',
    "offset": 'CAST("offset" AS BIGINT)',
    "event_time": "epoch_us(event_time)",
}


def read_duckdb(table):
    features = set(table.protocol().reader_features or []) & UNREADABLE_FEATURES
    if features:
        raise Unreadable(f"duckdb cannot read the files of a table with {', '.join(sorted(features))}")
    files = live_files(table)
    if not files:
        return
    db = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    source = "read_parquet(?, hive_partitioning = true, hive_types_autocast = false, union_by_name = true)"
    present = db.execute(f"SELECT * FROM {source} LIMIT 0", [files]).description
    require_columns({column[0] for column in present})
    selected = ", ".join(f'{DUCKDB_COLUMNS.get(name, name)} AS "{name}"' for name in COLUMNS)
    order = ", ".join(f'"{name}" NULLS LAST' for name in POSITION)
    result = db.execute(f"SELECT {selected} FROM {source} ORDER BY {order}", [files])
    while batch := result.fetchmany(BATCH_ROWS):
        yield from batch


ENGINES = {"deltalake": read_deltalake, "duckdb": read_duckdb}


def read(args):
    table = deltalake.DeltaTable(args.archive, version=args.version)
    protocol = table.protocol()
    common = {
        "version": table.version(),
        "files": len(table.file_uris()),
        "partition_columns": table.metadata().partition_columns,
        "columns": [field.name for field in table.schema().fields],
        "reader_version": protocol.min_reader_version,
        "writer_version": protocol.min_writer_version,
        "reader_features": sorted(protocol.reader_features or []),
        "writer_features": sorted(protocol.writer_features or []),
        "txn": {app_id: table.transaction_version(app_id) for app_id in args.txn},
    }
    names = list(ENGINES) if args.engine == "both" else [args.engine]
    answer = {name: {**common, **summary(ENGINES[name](table))} for name in names}
    if len(names) > 1:
        answer["agree"] = all(answer[name] == answer[names[0]] for name in names)
    return answer


def fail(message):
    """Exits with 1 at once: after a read error an engine's own threads may
    abort an orderly exit, and the code would be 134."""
    print(f"delta_reader.py: {message}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive")
    parser.add_argument("--engine", choices=[*ENGINES, "both"], default="both")
    parser.add_argument("--version", type=int, help="table version, the newest if not given")
    parser.add_argument("--txn", action="append", default=[], metavar="APP_ID", help="prints the txn version of APP_ID")
    args = parser.parse_args()
    try:
        answer = read(args)
    except (Unreadable, deltalake.exceptions.DeltaError, duckdb.Error, pa.ArrowException, OSError) as error:
        fail(f"{args.archive}: {error}")
    print(json.dumps(answer, indent=1, ensure_ascii=False))
    if not answer.get("agree", True):
        fail("the engines do not agree")


if __name__ == "__main__":
    main()
