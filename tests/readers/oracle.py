#!/usr/bin/env python3
"""Counts in the source data what an importer must produce.

    oracle.py events FILE.jsonl[.gz]   the simple form, one event a line
    oracle.py skype FILE.db            a Skype main.db

Standard library only, and nothing of Custody: this is the other opinion.
Prints one JSON object. Exit codes: 0 counted, 1 not readable, 2 called wrongly.
"""

import argparse
import collections
import gzip
import hashlib
import json
import os
import sqlite3
import sys
import urllib.parse
from datetime import datetime


def multiset_sha256(texts):
    """One hash for many texts whatever their order: SHA-256 over the sorted
    SHA-256 (32 bytes each) of the texts in UTF-8. delta_reader.py has the same."""
    return hashlib.sha256(b"".join(sorted(hashlib.sha256(t.encode()).digest() for t in texts))).hexdigest()


def sorted_counts(counter):
    return {str(key): counter[key] for key in sorted(counter, key=str)}


def count_events(path):
    """`first` and `last` are the least and greatest time as written; `lines`
    counts every line, `total` those that are events."""
    opener = gzip.open if path.endswith(".gz") else open
    lines, empty, invalid = 0, 0, []
    kinds, networks, ids = collections.Counter(), collections.Counter(), collections.Counter()
    conversations, senders, bodies, times = set(), set(), collections.defaultdict(list), []
    with opener(path, "rb") as source:
        for raw in source:
            lines += 1
            if not raw.strip():
                empty += 1
                continue
            try:
                event = json.loads(raw)
                kind, body = event["kind"], event["body"]
                moment = datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
                network, conversation = event["network"], event["conversation"]
                identifier, sender = event["id"], event["from"]
            except (ValueError, KeyError, TypeError, AttributeError):
                invalid.append(lines)
                continue
            times.append((moment, event["time"]))
            kinds[kind] += 1
            networks[network] += 1
            ids[identifier] += 1
            conversations.add((network, conversation))
            senders.add((network, sender))
            bodies[kind].append(body or "")
    return {
        "total": sum(kinds.values()),
        "by_kind": sorted_counts(kinds),
        "first": min(times)[1] if times else None,
        "last": max(times)[1] if times else None,
        "lines": lines,
        "empty_lines": empty,
        "invalid_lines": invalid,
        "distinct_ids": len(ids),
        "by_network": sorted_counts(networks),
        "conversations": len(conversations),
        "senders": len(senders),
        "in_time_order": all(a[0] <= b[0] for a, b in zip(times, times[1:])),
        "empty_bodies": sum(body == "" for texts in bodies.values() for body in texts),
        "bodies_by_kind": {kind: multiset_sha256(bodies[kind]) for kind in sorted(bodies)},
    }


def open_read_only(path):
    """Never writes next to the evidence: immutable, unless a write-ahead log
    holds what the database file does not."""
    wal = path + "-wal"
    immutable = not (os.path.exists(wal) and os.path.getsize(wal) > 0)
    quoted = urllib.parse.quote(os.path.abspath(path))
    return sqlite3.connect(f"file:{quoted}?mode=ro{'&immutable=1' if immutable else ''}", uri=True)


def count_skype(path):
    """Message types of main.db: 50 contact request, 51 its acceptance, 61 text,
    64 SMS. Calls and file transfers have tables of their own; a message of type
    30 or 39 (call) or 68 (files) only shows them in the chat."""
    db = open_read_only(path)
    tables = {name.lower() for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def rows(table):
        return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] if table.lower() in tables else 0

    types = collections.Counter(dict(db.execute("SELECT type, count(*) FROM Messages GROUP BY type")))
    edited, empty, first, last = db.execute(
        "SELECT count(edited_timestamp), sum(coalesce(body_xml, '') = ''), min(timestamp), max(timestamp)"
        " FROM Messages WHERE type = 61"
    ).fetchone()
    transfer_states = db.execute("SELECT status, count(*) FROM Transfers GROUP BY status") if rows("Transfers") else []
    return {
        "ims": types[61],
        "ims_edited": edited,
        "ims_empty": empty or 0,
        "ims_first_unix": first,
        "ims_last_unix": last,
        "contact_requests": types[50],
        "contact_acceptances": types[51],
        "sms": types[64],
        "sms_table": rows("SMSes"),
        "calls": rows("Calls"),
        "call_members": rows("CallMembers"),
        "call_messages": types[30] + types[39],
        "file_transfers": rows("Transfers"),
        "file_transfers_by_status": sorted_counts(dict(transfer_states)),
        "file_messages": types[68],
        "messages": sum(types.values()),
        "messages_by_type": sorted_counts(types),
        "voicemails": rows("Voicemails"),
        "video_messages": rows("VideoMessages"),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("form", choices=["events", "skype"])
    parser.add_argument("file")
    args = parser.parse_args()
    try:
        counts = (count_events if args.form == "events" else count_skype)(args.file)
    except (OSError, EOFError, sqlite3.Error) as error:
        sys.exit(f"oracle.py: {args.file}: {error}")
    print(json.dumps(counts, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
