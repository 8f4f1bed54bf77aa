#!/usr/bin/env python3
"""Reads the mailbox of a production without Custody, strictly.

    mbox_reader.py PRODUCTION.mbox [MAIL.eml...]

Cuts the mailbox by itself and with Python's mailbox, which must find the same
mails; undoes mboxrd's quoting; checks each mail as eml_reader.py does. With the
mails of the same production's EML beside it: they must be the same bytes, in
the same order. Prints counts as JSON; exits 1 with the file and the fault.
"""

import email
import json
import mailbox
import re
import sys
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path

import eml_reader
from eml_reader import Fault, need

SEPARATOR = re.compile(rb"From custody@custody\.invalid (\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})")


def mails(data):
    """The mails as they were before quoting, with the date of each separator."""
    need(data.endswith(b"\n\n"), "the mailbox does not end with an empty line")
    need(b"\r" not in data, "a CR")
    found, lines = [], None
    for n, line in enumerate(data[:-1].split(b"\n"), 1):
        if line.startswith(b"From "):
            match = SEPARATOR.fullmatch(line)
            need(match, f"line {n}: the separator {line!r}")
            need(lines is None or lines[-1] == b"", f"line {n}: no empty line before it")
            lines = []
            found.append((match[1].decode(), lines))
            continue
        need(lines is not None, "the first line is no separator")
        lines.append(re.sub(rb"^>(>*From )", rb"\1", line))
    return [(date, b"".join(line + b"\r\n" for line in lines[:-1])) for date, lines in found]


def check(path, beside):
    own = mails(path.read_bytes())
    box = mailbox.mbox(path, create=False)
    need(len(box) == len(own), f"Python finds {len(box)} mails, and there are {len(own)}")
    total = {"files": 1, "mails": len(own), "records": 0}
    for n, (date, mail) in enumerate(own):
        total["records"] += eml_reader.check(mail)["records"]
        message = email.message_from_bytes(mail)
        need(box[n]["Message-ID"] == message["Message-ID"], f"mail {n + 1} is another one to Python")
        moment = datetime.strptime(date, "%a %b %d %H:%M:%S %Y").replace(tzinfo=timezone.utc)
        need(moment == parsedate_to_datetime(message["Date"]), f"mail {n + 1}: the separator's date")
    if beside:
        need([mail for _, mail in own] == [path.read_bytes() for path in beside], "the mails are not those of the EML")
        total["same_as_eml"] = len(beside)
    return total


def main(paths):
    path, *beside = map(Path, paths)
    try:
        print(json.dumps(check(path, beside)))
    except (Fault, ValueError, KeyError, OSError, email.errors.MessageError) as fault:
        print(f"{path}: {type(fault).__name__}: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
