"""What readers of tables share. Written from export/FORMATS.md and RFC 4180, not from the Rust code."""

import csv
import datetime
import hashlib
import re
import struct
import sys
import zoneinfo

csv.field_size_limit(1 << 31)

POSITION = re.compile(r"[^:]+:[1-9][0-9]*:[0-9]+:[0-9]+")
HASH = re.compile(r"[0-9a-f]{64}")
TIME = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d")
INTEGER = re.compile(r"0|-?[1-9][0-9]*")
FORMULA = "=+-@\t\r"


class Fault(Exception):
    pass


def need(holds, message):
    if not holds:
        raise Fault(message)


def leaf_hash(position, broker_time_ms, key, headers, payload):
    """export/FORMAT.md, "The leaf hash"."""

    def field(data):
        return b"\xff\xff\xff\xff" if data is None else struct.pack(">I", len(data)) + data

    topic, generation, partition, offset = position.rsplit(":", 3)
    data = field(topic.encode()) + field(struct.pack(">i", int(generation))) + field(struct.pack(">i", int(partition)))
    data += field(struct.pack(">q", int(offset)))
    data += field(None if broker_time_ms is None else struct.pack(">q", broker_time_ms)) + field(key)
    data += struct.pack(">I", len(headers))
    for name, value in headers:
        data += field(name.encode()) + field(value)
    data += field(None if payload is None else hashlib.sha256(payload).digest())
    return hashlib.sha256(b"\x00custody.leaf.v1" + data).hexdigest()


def rows_of(path):
    """Header and rows of a CSV file in the form of RFC 4180, checked byte by byte for what csv forgives."""
    with open(path, "rb") as file:
        data = file.read()
    need(data.startswith(b"\xef\xbb\xbf"), "no byte order mark")
    try:
        text = data[3:].decode("utf-8")
    except UnicodeDecodeError as fault:
        raise Fault(f"not UTF-8: {fault}") from fault
    need(text.endswith("\r\n"), "the last row does not end with CR LF")
    # Outside of quotes a line end is CR LF: what is left after taking quoted parts away.
    bare = re.sub(r'"(?:[^"]|"")*"', "", text).replace("\r\n", "")
    need("\r" not in bare and "\n" not in bare, "a line end that is not CR LF")
    need('"' not in bare, "a quote that is not closed, or not at a cell's beginning")
    rows = list(csv.reader(iter_lines(text), strict=True))
    header, rows = rows[0], rows[1:]
    need(len(set(header)) == len(header), "two columns of one name")
    for n, row in enumerate(rows, 2):
        need(len(row) == len(header), f"row {n} has {len(row)} cells, not {len(header)}")
    return header, [dict(zip(header, row)) for row in rows]


def iter_lines(text):
    """Lines as csv wants them; str.splitlines would cut at U+2028 and others as well."""
    begin = 0
    while begin < len(text):
        end = text.find("\n", begin)
        end = len(text) if end < 0 else end + 1
        yield text[begin:end]
        begin = end


def said(cell):
    """What was said: without the mark of a formula. A cell that would still be one is a fault."""
    need(not cell or cell[0] not in FORMULA, f"a cell that begins like a formula: {cell[:20]!r}")
    if cell.startswith("'") and cell.lstrip("'")[:1] in FORMULA and cell.strip("'"):
        return cell[1:]
    return cell


def check_time(cell, zone, what):
    """Checks that a time's offset is that of its zone then; gives the time."""
    need(TIME.fullmatch(cell), f"{what} is no time: {cell!r}")
    try:
        time = datetime.datetime.fromisoformat(cell)
        there = time.astimezone(zoneinfo.ZoneInfo(zone))
    except (ValueError, OverflowError):
        return None
    need(there.utcoffset() == time.utcoffset(), f"{what} {cell} has another offset than {zone} then")
    return time


def check_records(rows, said=lambda cell: cell):
    """What holds of records in any table: rows of texts."""
    positions, roots = set(), {}
    for n, row in enumerate(rows, 2):
        where = f"row {n} ({row['position']})"
        need(row["document"], f"{where}: no document")
        need(POSITION.fullmatch(row["position"]), f"{where}: no position")
        need(row["position"] not in positions, f"{where}: a position for the second time")
        positions.add(row["position"])
        for name in ("leaf_hash", "batch_root"):
            need(HASH.fullmatch(row[name]), f"{where}: {name} is no hash")
        need(roots.setdefault(row["batch"], row["batch_root"]) == row["batch_root"], f"{where}: another root")
        need(row["type"], f"{where}: no type")
        need(row["time_from"] in ("event", "broker", "archive"), f"{where}: time_from")
        need((row["type"] == "quarantined") == bool(row["quarantined"]), f"{where}: quarantined without a reason")
        need(row["context"] in ("yes", "no"), f"{where}: context is {row['context']!r}")
        need(int(row["copies"]) >= 1 and int(row["redactions"]) >= 0, f"{where}: copies or redactions")
        for name in ("file_bytes", "call_duration_ms", "sequence", "copies", "redactions"):
            number = said(row[name])
            need(not number or INTEGER.fullmatch(number), f"{where}: {name} is no number: {number!r}")
        for name in ("time", "broker_time", "archived_time"):
            if row[name] or name != "broker_time":
                check_time(said(row[name]), row["zone"], f"{where}: {name}")
    return {
        "records": len(rows),
        "documents": len({row["document"] for row in rows}),
        "context": sum(row["context"] == "yes" for row in rows),
        "copies": sum(int(row["copies"]) - 1 for row in rows),
        "redactions": sum(int(row["redactions"]) for row in rows),
        "quarantined": sum(bool(row["quarantined"]) for row in rows),
    }


COLUMNS = """document position time zone time_from type conversation conversation_kind title from_name
from_address from_network from_scope to via participant action client text what_happened message_id
in_reply_to content_type importance file_id file_name file_media_type file_bytes file_sha256 attachments
call_id call_media call_duration_ms id source sequence tenant quarantined gap warnings copies context
redactions broker_time archived_time leaf_hash batch batch_root""".split()


def run(check, paths, usage):
    """Checks each path; prints their counts, or the first fault."""
    import json

    if not paths:
        print(usage, file=sys.stderr)
        return 2
    counts = {}
    for path in paths:
        try:
            counts[path] = check(path)
        except Exception as fault:  # whatever a damaged file makes of a library
            print(f"{path}: {type(fault).__name__ + ': ' if not isinstance(fault, Fault) else ''}{fault}",
                  file=sys.stderr)
            return 1
    print(json.dumps(counts, indent=1, sort_keys=True))
    return 0
