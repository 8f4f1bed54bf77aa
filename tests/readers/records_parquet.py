#!/usr/bin/env python3
"""Checks `records.parquet` files of productions with DuckDB.

    records_parquet.py [--leaves] FILE...

`--leaves` makes the leaf hash of every record anew from what was consumed, but for redacted ones.
Exit codes: 0 all is well (counts are printed as JSON), 1 a fault, 2 called wrongly.
"""

import datetime
import sys

import duckdb

from tables import COLUMNS, check_records, leaf_hash, need, run

TYPES = {name: "VARCHAR" for name in COLUMNS}
TYPES |= {name: "BIGINT" for name in ("file_bytes", "call_duration_ms", "sequence", "copies", "redactions")}
TYPES |= {name: "TIMESTAMP WITH TIME ZONE" for name in ("time", "broker_time", "archived_time")}
TYPES |= {"context": "BOOLEAN", "key": "BLOB", "headers": 'STRUCT("name" VARCHAR, "value" BLOB)[]', "payload": "BLOB"}
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def text(value, name):
    if value is None:
        return ""
    if TYPES[name].startswith("TIMESTAMP"):
        return (EPOCH + datetime.timedelta(microseconds=value)).isoformat(timespec="microseconds")
    if TYPES[name] == "BOOLEAN":
        return "yes" if value else "no"
    return str(value)


def check(path):
    connection = duckdb.connect()
    described = connection.execute("describe select * from read_parquet(?)", [path]).fetchall()
    found = {name: kind for name, kind, *_ in described}
    need(list(found) == list(TYPES), f"other columns than documented: {list(found)}")
    for name, kind in TYPES.items():
        need(found[name].replace('"', "") == kind.replace('"', ""), f"{name} is of type {found[name]}, not {kind}")
    codecs = connection.execute("select distinct compression from parquet_metadata(?)", [path]).fetchall()
    need(codecs in ([], [("ZSTD",)]), f"compressed with {codecs}")
    times = {name for name, kind in TYPES.items() if kind.startswith("TIMESTAMP")}
    columns = ", ".join(f'epoch_us("{name}")' if name in times else f'"{name}"' for name in TYPES)
    rows, leaves = [], 0
    for values in connection.execute(f"select {columns} from read_parquet(?)", [path]).fetchall():
        row = dict(zip(TYPES, values))
        if LEAVES and row["redactions"] == 0:
            ms = None if row["broker_time"] is None else row["broker_time"] // 1_000
            headers = [(header["name"], header["value"]) for header in row["headers"] or []]
            made = leaf_hash(row["position"], ms, row["key"], headers, row["payload"])
            need(made == row["leaf_hash"], f"{row['position']}: the leaf hash is another")
            leaves += 1
        rows.append({name: text(row[name], name) for name in COLUMNS} | {"zone": "UTC"})
    return check_records(rows) | {"leaves": leaves}


LEAVES = "--leaves" in sys.argv[1:]
sys.exit(run(check, [path for path in sys.argv[1:] if path != "--leaves"], __doc__))
