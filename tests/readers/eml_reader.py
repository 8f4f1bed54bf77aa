#!/usr/bin/env python3
"""Reads mails of productions without Custody, strictly.

    eml_reader.py MAIL.eml...

Uses Python's email with its strict policy, and looks at the bytes themselves
for what that reader forgives. Written from RFC 5322, 2045 to 2047, 2231 and
FORMATS.md. Prints counts as JSON; exits 1 with the file and the fault.
"""

import email
import email.policy
import hashlib
import json
import re
import sys
from email.headerregistry import Address
from pathlib import Path

ONCE = ["MIME-Version", "Date", "From", "To", "Subject", "Message-ID", "X-Custody-Version",
        "X-Custody-Production", "X-Custody-Number", "X-Custody-Day", "X-Custody-Zone", "X-Custody-Part",
        "X-Custody-Positions", "X-Custody-Context", "X-Custody-Leaf-Digest", "Content-Type"]
MANY = ["X-Custody-Batch-Root", "X-Custody-Participant", "X-Custody-Conversation"]
RECORD = re.compile(r"^ *\[(\d+)\] ")
POSITION = re.compile(r"^ +position: (.+:\d+:\d+:\d+), leaf ([0-9a-f]{64})$")


class Fault(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Fault(what)


def check_lines(data):
    """CRLF and nothing else, ASCII, 998 characters; 76 in all but a header with one long address or hash."""
    need(data.endswith(b"\r\n"), "the last line has no end")
    for n, line in enumerate(data[:-2].split(b"\r\n"), 1):
        need(b"\r" not in line and b"\n" not in line, f"line {n}: a bare CR or LF")
        need(all(32 <= byte < 127 or byte == 9 for byte in line), f"line {n}: not printable ASCII")
        need(len(line) <= 76 or (len(line) <= 998 and line.startswith((b" <", b"X-Custody-"))), f"line {n}: {len(line)} characters")
        need(not line.startswith(b"From "), f"line {n}: begins as a mailbox's separator")


def check_headers(message):
    names = [name for name in message.keys()]
    for name in ONCE:
        need(names.count(name) == 1, f"{names.count(name)} headers {name}")
    need(set(names) <= set(ONCE + MANY), f"other headers: {set(names) - set(ONCE + MANY)}")
    for name, value in message.items():
        need(not value.defects, f"{name}: {value.defects}")
        need(not re.search(r"[\x00-\x1f\x7f]", str(value)), f"{name}: a control")
    need(message["Date"].datetime is not None, "no date")
    need(len(message["From"].addresses) == 1, "not one sender")
    for who in message["From"].addresses + message["To"].addresses:
        need(isinstance(who, Address) and re.fullmatch(r"[A-Za-z0-9%._+-]+", who.username or ""), f"the address {who}")
        need(re.fullmatch(r"[A-Za-z0-9.-]+", who.domain or ""), f"the address {who}")
        need(who.display_name, f"an address without a name: {who}")
    need(re.fullmatch(r"<[0-9a-f]{40}@custody\.invalid>", message["Message-ID"]), "the message's id")
    expected = hashlib.sha256(
        f"{message['X-Custody-Number']}\0{message['X-Custody-Leaf-Digest']}".encode()).hexdigest()[:40]
    need(message["Message-ID"] == f"<{expected}@custody.invalid>", "the id is not made of number and digest")
    people = len(message.get_all("X-Custody-Participant") or [])
    addresses = len(message["From"].addresses) + len(message["To"].addresses)
    need(addresses == max(people, 1), f"{people} participants and {addresses} addresses")
    return people


def check_text(text, message):
    """Every record is told once with its position, and the digest is that of the leaf hashes."""
    numbers, leaves, positions, current = [], {}, set(), None
    for line in text.splitlines():
        if match := RECORD.match(line):
            current = int(match[1])
            numbers.append(current)
        elif match := POSITION.match(line):
            need(current not in leaves, f"record {current} has two positions")
            need(match[1] not in positions, f"the position {match[1]} twice")
            positions.add(match[1])
            leaves[current] = match[2]
    count = int(message["X-Custody-Positions"])
    need(sorted(numbers) == list(range(1, count + 1)), f"{len(numbers)} records of {count}")
    need(sorted(leaves) == list(range(1, count + 1)), f"{len(leaves)} positions of {count}")
    digest = hashlib.sha256(b"".join(bytes.fromhex(leaves[n]) for n in range(1, count + 1))).hexdigest()
    need(digest == message["X-Custody-Leaf-Digest"], "the digest is not that of the leaf hashes")
    return count


def check(data):
    check_lines(data)
    message = email.message_from_bytes(data, policy=email.policy.strict)
    for part in message.walk():
        need(not part.defects, f"{part.get_content_type()}: {part.defects}")
    counts = {"participants": check_headers(message), "attachments": 0, "placeholders": 0}
    need(message.get_content_type() == "multipart/mixed", "not multipart/mixed")
    bodies, *files = message.iter_parts()
    need(bodies.get_content_type() == "multipart/alternative", "the first part is not the transcript")
    plain, html = bodies.iter_parts()
    need((plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html"), "the alternatives")
    for part in (plain, html):
        need(part.get_content_charset() == "utf-8", "not UTF-8")
        part.get_payload(decode=True).decode("utf-8")
    counts["records"] = check_text(plain.get_content(), message)
    need(html.get_content().count("data-position=") == counts["records"], "the HTML has other records")
    for part in files:
        need(part.get_content_disposition() == "attachment", "a part that is no attachment")
        name = part.get_filename()
        need(name and not re.search(r"[\x00-\x1f/\\]", name), f"the name {name!r}")
        content = part.get_payload(decode=True)
        if name.endswith(".missing.txt") and part.get_content_type() == "text/plain":
            counts["placeholders"] += 1
            continue
        counts["attachments"] += 1
        sha256 = part["X-Custody-SHA-256"]
        need(sha256 is None or hashlib.sha256(content).hexdigest() == sha256, f"{name} has another hash")
    return counts


def main(paths):
    total = {"files": 0, "records": 0, "participants": 0, "attachments": 0, "placeholders": 0}
    for path in paths:
        try:
            counts = check(Path(path).read_bytes())
        except (Fault, ValueError, KeyError, OSError, email.errors.MessageError) as fault:
            print(f"{path}: {type(fault).__name__}: {fault}", file=sys.stderr)
            return 1
        total["files"] += 1
        for name, n in counts.items():
            total[name] += n
    print(json.dumps(total))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
