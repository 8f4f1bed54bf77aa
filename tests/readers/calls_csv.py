#!/usr/bin/env python3
"""Checks `calls.csv` files of productions with a reader that is not Custody's.

    calls_csv.py FILE...

Exit codes: 0 all is well (counts are printed as JSON), 1 a fault, 2 called wrongly.
"""

import sys

from tables import HASH, INTEGER, POSITION, TIME, check_time, need, rows_of, run, said

COLUMNS = """document call_id ended conversation conversation_kind title from_name from_address from_network
from_scope to via on_behalf_of referred_by original_target answered_by participants zone invite_time answer_time
end_time duration_ms media media_over_time response_code reason diagnostics client from_message_count
to_message_count audio_codec audio_jitter_ms audio_loss_pct audio_round_trip_ms audio_mos video_codec
video_jitter_ms video_loss_pct video_round_trip_ms video_mos screen_codec screen_jitter_ms screen_loss_pct
screen_round_trip_ms screen_mos quality_other source tenant event_types ids clients warnings copies context
redactions positions leaf_hashes batches batch_roots""".split()


def check(path):
    header, rows = rows_of(path)
    need(header == COLUMNS, f"other columns than documented: {header}")
    seen, ended = set(), 0
    for n, row in enumerate(rows, 2):
        where = f"row {n}"
        row = {name: said(cell) for name, cell in row.items()}
        positions = row["positions"].split("; ")
        for name in ("event_types", "leaf_hashes", "batch_roots", "copies", "context", "redactions"):
            need(len(row[name].split("; ")) == len(positions), f"{where}: {name} are not as many as positions")
        for position in positions:
            need(POSITION.fullmatch(position), f"{where}: no position: {position!r}")
            need(position not in seen, f"{where}: {position} is in two calls")
            seen.add(position)
        need(all(HASH.fullmatch(hash) for hash in row["leaf_hashes"].split("; ")), f"{where}: no leaf hash")
        types = row["event_types"].split("; ")
        need(all(kind.startswith("call.") for kind in types), f"{where}: not of a call: {types}")
        need(types.count("call.ended") == (row["ended"] == "yes"), f"{where}: ended is {row['ended']!r} of {types}")
        ended += row["ended"] == "yes"
        times = {}
        for name in ("invite_time", "answer_time", "end_time"):
            if TIME.fullmatch(row[name]):
                times[name] = check_time(row[name], row["zone"], f"{where}: {name}")
        if row["duration_ms"]:
            need(INTEGER.fullmatch(row["duration_ms"]), f"{where}: duration_ms")
            lasted = times["end_time"] - times["answer_time"]
            ms = lasted.days * 86_400_000 + lasted.seconds * 1_000 + lasted.microseconds // 1_000
            need(abs(ms - int(row["duration_ms"])) <= 1, f"{where}: duration_ms is not from answer to end")
        for name in ("response_code", "from_message_count", "to_message_count"):
            need(not row[name] or INTEGER.fullmatch(row[name]), f"{where}: {name} is no number")
        for name in (name for name in COLUMNS if name.endswith(("_jitter_ms", "_pct", "_trip_ms", "_mos"))):
            float(row[name] or 0)
    return {"calls": len(rows), "ended": ended, "events": len(seen)}


sys.exit(run(check, sys.argv[1:], __doc__))
