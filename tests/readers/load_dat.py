#!/usr/bin/env python3
"""Checks volumes with a Concordance load file with a reader that is not Custody's.

    load_dat.py VOLUME...

Each is the folder that has `DATA/load.dat`, `NATIVES` and `TEXT`. Exit codes: 0 all is well (counts are
printed as JSON), 1 a fault, 2 called wrongly.
"""

import csv
import os
import re
import sys

from load_files import check_members
from tables import need, run

csv.field_size_limit(1 << 31)

FIELDS = """BEGBATES ENDBATES BEGATTACH ENDATTACH PARENTID ATTACHIDS CUSTODIAN ALLCUSTODIANS DOCTYPE FILENAME
FILEEXT FILESIZE MEDIATYPE FROM TO PARTICIPANTS SUBJECT DATESENT TIMESENT DATETIMESENT DATETIMEEND TIMEZONE
CONVERSATION CONVERSATIONKIND TITLE DAY PART PARTS RECORDCOUNT CONTEXTCOUNT COPYCOUNT REDACTIONCOUNT WARNINGCOUNT
MISSING SHA256 DECLAREDSHA256 NATIVEPATH TEXTPATH POSITIONS LEAFDIGEST PRODUCTION CUSTODYVERSION""".split()


def rows_of(path):
    with open(path, "rb") as file:
        data = file.read()
    need(data.startswith(b"\xef\xbb\xbf"), "no byte order mark")
    text = data[3:].decode("utf-8")
    need(text.endswith("þ\r\n"), "the last row does not end with a quote, CR and LF")
    need(text.count("\n") == text.count("\r\n") == text.count("\r"), "a line end inside of a value")
    lines = text.split("\r\n")[:-1]
    for n, line in enumerate(lines, 1):
        value = "þ(?:[^þ]|þþ)*þ"
        need(re.fullmatch(f"{value}(?:\x14{value})*", line), f"row {n}: a value without quotes")
    return list(csv.reader((line + "\r\n" for line in lines), delimiter="\x14", quotechar="þ", strict=True))


def local(path, what):
    need("/" not in path, f"{what}: {path!r} is not a path of Windows")
    return path.replace("\\", "/")


def check(volume):
    header, *rows = rows_of(os.path.join(volume, "DATA", "load.dat"))
    need(header == FIELDS, f"other fields than documented: {header}")
    members = []
    for n, values in enumerate(rows, 2):
        need(len(values) == len(FIELDS), f"row {n} has {len(values)} values")
        row = dict(zip(FIELDS, values))
        number = row["BEGBATES"]
        need(row["ENDBATES"] == number, f"{number}: ENDBATES")
        for name, form in [("DATESENT", r"\d{4}-\d\d-\d\d"), ("TIMESENT", r"\d\d:\d\d:\d\d"), ("DAY", r"\d{4}-\d\d-\d\d")]:
            need(re.fullmatch(form, row[name]), f"{number}: {name} is {row[name]!r}")
        need(row["DATETIMESENT"].startswith(f"{row['DATESENT']}T{row['TIMESENT']}."), f"{number}: DATETIMESENT")
        need(row["NATIVEPATH"].endswith("." + row["FILEEXT"]), f"{number}: FILEEXT")
        members.append({
            "number": number, "parent": row["PARENTID"], "first": row["BEGATTACH"], "last": row["ENDATTACH"],
            "children": row["ATTACHIDS"].split(";") if row["ATTACHIDS"] else [], "kind": row["DOCTYPE"],
            "native": local(row["NATIVEPATH"], number), "text": local(row["TEXTPATH"], number),
            "sha256": row["SHA256"], "bytes": int(row["FILESIZE"]), "positions": row["POSITIONS"].split(";"),
            "digest": row["LEAFDIGEST"], "records": int(row["RECORDCOUNT"]), "context": int(row["CONTEXTCOUNT"]),
            "copies": int(row["COPYCOUNT"]),
        })
    return check_members(volume, members)


sys.exit(run(check, sys.argv[1:], __doc__))
