#!/usr/bin/env python3
"""Checks RSMF 2.0 files strictly: rsmf.py SCHEMA FILE...

SCHEMA is rsmf_schema_2_0_0.json of relativitydev/rsmf-validator-samples. Beside the schema every
rule that it cannot express is checked: what refers to what, what is counted, what comes first.
Written from the specification and from RFC 5322, 2045 and 2047, not from Custody's code.

Standard output is counts as JSON. Exit code 1: a message on standard error names file and fault.
"""

import base64
import email.policy
import hashlib
import io
import json
import pathlib
import re
import sys
import zipfile
from datetime import datetime
from email.parser import BytesParser

from jsonschema import Draft7Validator

EVENTS_MAX = 10_000
BYTES_MAX = 2_000_000_000
REACTION_CHARS_MAX = 30
MANIFEST = "rsmf_manifest.json"
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z")
HEADERS = {"from", "to", "subject", "date", "message-id", "mime-version", "content-type"}
HEADER = re.compile(rb"[!-9;-~]+: ?[ -~\t]*")
KNOWN = {
    "": {"version", "participants", "conversations", "events", "eventcollectionid"},
    "participant": {"id", "display", "email", "avatar", "account_id", "custom"},
    "conversation": {"id", "display", "platform", "type", "participants", "custodian", "custom", "icon"},
    "event": {
        "id", "type", "parent", "body", "participant", "conversation", "timestamp", "deleted", "importance",
        "reactions", "attachments", "edits", "custom", "direction", "read_receipts",
    },
    "reaction": {"value", "count", "participants"},
    "attachment": {"id", "display", "size"},
    "edit": {"participant", "timestamp", "previous", "new"},
    "read receipt": {"participant", "timestamp", "action"},
    "custom": {"name", "value"},
}


class Fault(Exception):
    pass


def need(condition, message):
    if not condition:
        raise Fault(message)


def known(what, thing):
    extra = set(thing) - KNOWN[what]
    need(not extra, f"unknown properties of {what or 'the manifest'}: {sorted(extra)}")
    for custom in thing.get("custom", []):
        need(set(custom) == KNOWN["custom"], f"properties of a custom field: {sorted(custom)}")
        for text in custom.values():
            need(isinstance(text, str) and text, f"a custom field of {what} is no text or empty: {custom}")


def time(text, what):
    need(TIME.fullmatch(text), f"{what} is no time in UTC with Z: {text!r}")
    return datetime.fromisoformat(text)


def raw_mail(data):
    """The mail's own form, before a lenient parser sees it."""
    head, found, body = data.partition(b"\r\n\r\n")
    need(found, "no empty line after the headers")
    names = []
    for line in head.split(b"\r\n"):
        need(len(line) <= 998, "a header line of more than 998 characters")
        if line[:1] in (b" ", b"\t"):
            need(names, "folding before the first header")
            need(re.fullmatch(rb"[ -~\t]*", line), f"a control or non-ASCII in a header: {line!r}")
            need(line.strip(), "a folded line of spaces alone")
        else:
            need(HEADER.fullmatch(line), f"no header: {line!r}")
            names.append(line.split(b":")[0].decode().lower())
    repeated = {name for name in names if names.count(name) > 1}
    need(not repeated, f"headers more than once: {sorted(repeated)}")
    other = {name for name in names if name not in HEADERS and not name.startswith("x-rsmf-")}
    need(not other, f"headers that are not RSMF's: {sorted(other)}")
    for required in ("from", "date", "subject", "message-id", "mime-version", "content-type"):
        need(required in names, f"no header {required}")
    need(b"\n" not in body.replace(b"\r\n", b"") and b"\r" not in body.replace(b"\r\n", b""), "a bare CR or LF")
    need(all(len(line) <= 998 for line in body.split(b"\r\n")), "a line of more than 998 characters")
    need(body.isascii(), "the mail is not ASCII")


def decoded(part, what):
    """A part's bytes; base64 is checked, Python's decoder passes over what is none."""
    need(part["Content-Transfer-Encoding"] == "base64", f"the {what} is not in base64")
    text = part.get_payload()
    need(all(len(line) <= 76 for line in text.splitlines()), f"a line of base64 of the {what} is too long")
    return base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True)


def check_mail(data):
    raw_mail(data)
    mail = BytesParser(policy=email.policy.default).parsebytes(data)
    for part in mail.walk():
        need(not part.defects, f"defects of the mail: {part.defects}")
    for name, value in mail.items():
        defects = getattr(value, "defects", ())
        need(not defects, f"defects of header {name}: {defects} in {str(value)!r}")
    need(mail["Date"].datetime is not None, f"the Date is none: {mail['Date']}")
    need(len(mail["From"].addresses) == 1, f"From is not one address: {mail['From']}")
    for field in ("From", "To"):
        for address in mail[field].addresses if mail[field] else ():
            need(address.username and "." in address.domain, f"no address in {field}: {address}")
    need(mail.get_content_type() == "multipart/mixed", f"the mail is {mail.get_content_type()}")
    parts = list(mail.iter_parts())
    need(len(parts) == 2, f"{len(parts)} parts, not a text and a zip")
    text, attached = parts
    need(text.get_content_type() == "text/plain" and not text.is_attachment(), "the first part is no text")
    need(attached.is_attachment(), "the second part is no attachment")
    need(attached.get_filename() == "rsmf.zip", f"the attachment is {attached.get_filename()}")
    return mail, decoded(text, "text").decode("utf-8"), decoded(attached, "zip")


def check_zip(data):
    zipped = zipfile.ZipFile(io.BytesIO(data))
    need(zipped.testzip() is None, f"damaged in the zip: {zipped.testzip()}")
    names = [info.filename for info in zipped.infolist()]
    need(len(names) == len(set(names)), "a name is twice in the zip")
    end = 0
    for info in sorted(zipped.infolist(), key=lambda info: info.header_offset):
        need(info.header_offset == end, f"bytes that belong to no file before {info.filename}")
        local = data[end : end + 30]
        need(local[:4] == b"PK\x03\x04", f"no local header of {info.filename}")
        need(local[8:10] == info.compress_type.to_bytes(2, "little"), f"two methods of {info.filename}")
        end += 30 + int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
        end += info.compress_size
        need(not info.flag_bits & 1, f"{info.filename} has a password")
        need(info.date_time == (1980, 1, 1, 0, 0, 0), f"{info.filename} has a time: {info.date_time}")
        need(info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED), f"method of {info.filename}")
        unsafe = re.search(r'[\x00-\x1f/\\:*?"<>|]|^\.|\.$', info.filename)
        need(not unsafe, f"no safe name in the zip: {info.filename!r}")
    need(end == zipped.start_dir, "bytes between the files and the directory")
    need(len({name.lower() for name in names}) == len(names), "names in the zip differ in case alone")
    need(MANIFEST in names, f"no {MANIFEST} in the zip")
    return zipped, names


def unique(things, what):
    ids = [thing["id"] for thing in things if "id" in thing]
    twice = {each for each in ids if ids.count(each) > 1} if len(set(ids)) < len(ids) else ()
    need(not twice, f"ids of {what} more than once: {sorted(twice)[:3]}")
    return set(ids)


def no_repeats(pairs):
    members = dict(pairs)
    need(len(members) == len(pairs), f"a member is twice in an object: {[name for name, _ in pairs]}")
    return members


class Manifest:
    """Every rule between the parts of a manifest."""

    def __init__(self, manifest):
        known("", manifest)
        self.people = unique(manifest["participants"], "participants")
        for person in manifest["participants"]:
            known("participant", person)
        self.conversations = {c["id"]: c for c in manifest["conversations"]}
        unique(manifest["conversations"], "conversations")
        self.members = {}
        for conversation in manifest["conversations"]:
            self.conversation(conversation)
        self.events = manifest["events"]
        unique(self.events, "events")
        need(len(self.events) <= EVENTS_MAX, f"{len(self.events)} events")
        self.seen, self.times, self.files, self.last = {}, [], [], None
        for event in self.events:
            self.event(event)

    def person(self, person, what):
        need(person in self.people, f"{what} is no participant: {person}")

    def conversation(self, conversation):
        known("conversation", conversation)
        members = conversation["participants"]
        for person in members:
            self.person(person, "a member of a conversation")
        need(len(set(members)) == len(members), "a member is twice in a conversation")
        if "custodian" in conversation:
            self.person(conversation["custodian"], "the custodian")
            need(conversation["custodian"] in members, "the custodian is no member of the conversation")
        self.members[conversation["id"]] = set(members)

    def event(self, event):
        known("event", event)
        where = f"event {event.get('id')}"
        place = event.get("conversation")
        need(place in self.conversations, f"{where}: no conversation {place}")
        members = self.members[place]
        at = time(event["timestamp"], where) if "timestamp" in event else None
        if at:
            need(self.last is None or at >= self.last, f"{where} is before the event above it")
            self.last = at
            self.times.append(at)
        if "participant" in event:
            self.person(event["participant"], f"{where}: its participant")
        kind = event["type"]
        if kind in ("join", "leave"):
            need("participant" in event, f"{where}: nobody joins or leaves")
            need(self.conversations[place]["type"] != "direct", f"{where}: a change in a direct conversation")
        if kind == "join":
            members.add(event["participant"])
        elif "participant" in event:
            need(event["participant"] in members, f"{where}: {event['participant']} is not in the conversation")
        if kind == "unknown":
            need(event.get("body") and event.get("custom"), f"{where}: unknown without body or fields")
        self.parent(event, where, at)
        self.changes(event, where, at, members)
        for attachment in event.get("attachments", []):
            need(set(attachment) <= KNOWN["attachment"], f"{where}: {attachment}")
            self.files.append((attachment["id"], attachment["size"]))
        self.seen[event.get("id")] = (place, at)

    def parent(self, event, where, at):
        if "parent" not in event:
            return
        parent = self.seen.get(event["parent"])
        need(parent, f"{where}: its parent is no event above it: {event['parent']}")
        need(parent[0] == event["conversation"], f"{where}: its parent is in another conversation")
        need(not (at and parent[1]) or parent[1] <= at, f"{where}: its parent is later")

    def changes(self, event, where, at, members):
        before = at
        body = None
        for edit in event.get("edits", []):
            need(set(edit) <= KNOWN["edit"], f"{where}: properties of an edit: {sorted(edit)}")
            self.person(edit["participant"], f"{where}: the editor")
            need(edit["participant"] in members, f"{where}: the editor is no member")
            when = time(edit["timestamp"], f"{where}: an edit")
            need(before is None or when >= before, f"{where}: an edit is before what it edits")
            need(body is None or edit["previous"] == body, f"{where}: an edit does not follow the one before")
            before, body = when, edit["new"]
        need(body is None or body == event.get("body"), f"{where}: the body is not what the last edit made")
        values = [reaction["value"] for reaction in event.get("reactions", [])]
        need(len(set(values)) == len(values), f"{where}: a reaction is twice")
        for reaction in event.get("reactions", []):
            need(set(reaction) <= KNOWN["reaction"], f"{where}: properties of a reaction: {sorted(reaction)}")
            need(len(reaction["value"]) <= REACTION_CHARS_MAX, f"{where}: a reaction is too long")
            people = reaction["participants"]
            need(reaction["count"] == len(set(people)) == len(people) > 0, f"{where}: the reaction's count")
            for person in people:
                self.person(person, f"{where}: who reacted")
                need(person in members, f"{where}: who reacted is no member")
        for receipt in event.get("read_receipts", []):
            need(set(receipt) <= KNOWN["read receipt"], f"{where}: properties of a receipt: {sorted(receipt)}")
            self.person(receipt["participant"], f"{where}: the reader")
            need(receipt["participant"] in members, f"{where}: the reader is no member")
            when = time(receipt["timestamp"], f"{where}: a receipt")
            need(at is None or when >= at, f"{where}: a receipt is before the message")



def check_headers(mail, manifest, content):
    def header(name):
        value = mail[f"X-RSMF-{name}"]
        return None if value is None else str(value)

    need(header("Version") == manifest["version"] == "2.0.0", f"version {header('Version')}")
    need(header("EventCount") == str(len(content.events)), f"X-RSMF-EventCount {header('EventCount')}")
    need(header("AttachmentCount") == str(len(content.files)), f"X-RSMF-AttachmentCount {header('AttachmentCount')}")
    need(header("EventCollectionID") == manifest["eventcollectionid"], "X-RSMF-EventCollectionID")
    for name, of in (("BeginDate", min), ("EndDate", max)):
        if content.times:
            need(header(name), f"no X-RSMF-{name}")
            need(time(header(name), name) == of(content.times), f"X-RSMF-{name} {header(name)}")
        else:
            need(header(name) is None, f"X-RSMF-{name} without a time in the manifest")
    platforms = {c["platform"] for c in manifest["conversations"]}
    need(header("Application") in platforms, f"X-RSMF-Application {header('Application')}")
    custodians = {c["custodian"] for c in manifest["conversations"] if "custodian" in c}
    need((header("Custodian") is not None) == bool(custodians), "X-RSMF-Custodian is not the manifest's")
    need((header("Participants") is not None) == bool(content.people), "X-RSMF-Participants is not the manifest's")


def check_custody(mail, manifest):
    """Custody's own fields: every record once, and the digest over their leaves."""
    positions, leaves = [], []
    for event in manifest["events"]:
        fields = [(field["name"], field["value"]) for field in event["custom"]]
        positions += [value for name, value in fields if re.fullmatch(r"(Record \d+ )?Position", name)]
        leaves += [value for name, value in fields if re.fullmatch(r"(Record \d+ )?Leaf SHA-256", name)]
    need(len(positions) == len(leaves), "not every position has a leaf")
    need(len(set(positions)) == len(positions), "a position is twice")
    need(mail["X-RSMF-Custody-Record-Count"] == str(len(positions)), "X-RSMF-Custody-Record-Count")
    digest = hashlib.sha256(b"".join(sorted(bytes.fromhex(leaf) for leaf in leaves))).hexdigest()
    need(mail["X-RSMF-Custody-Leaf-Digest"] == digest, "X-RSMF-Custody-Leaf-Digest")
    return len(positions)


def check_text(text, manifest):
    need("\n" not in text.replace("\r\n", ""), "a bare line feed in the text")
    lines = text.split("\r\n")
    starts = [line for line in lines if re.match(r"\[\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.", line)]
    stamps = []
    for line in starts:
        stamp = re.match(r"\[(\S+) (\S+) ([+-]\d\d:\d\d)\]", line)
        need(stamp, f"no offset in the text: {line[:60]!r}")
        stamps.append(datetime.fromisoformat(f"{stamp[1]}T{stamp[2]}{stamp[3]}"))
    need(all(a <= b for a, b in zip(stamps, stamps[1:])), "the text is not in order of time")
    return len(starts)


def check(path, validator, counts):
    data = path.read_bytes()
    need(path.suffix == ".rsmf", "the name does not end in .rsmf")
    need(len(data) <= BYTES_MAX, "more than 2 GB")
    mail, text, zipped = check_mail(data)
    archive, names = check_zip(zipped)
    manifest = json.loads(archive.read(MANIFEST).decode("utf-8"), object_pairs_hook=no_repeats)
    errors = sorted(validator.iter_errors(manifest), key=str)
    need(not errors, f"the schema: {errors and errors[0].json_path}: {errors and errors[0].message}")
    content = Manifest(manifest)
    check_headers(mail, manifest, content)
    named = [name for name, _ in content.files]
    need(len(set(named)) == len(named), "a file is attached twice")
    need(set(named) | {MANIFEST} == set(names), f"files and references: {set(named) ^ set(names) - {MANIFEST}}")
    for name, size in content.files:
        need(archive.getinfo(name).file_size == size, f"{name} is not {size} bytes")
    records = check_custody(mail, manifest)
    need(check_text(text, manifest) == records, "not every record is in the text")
    counts["files"] += 1
    counts["events"] += len(content.events)
    counts["records"] += records
    counts["attachments"] += len(content.files)
    counts["bytes"] += len(data)


def main(schema, paths):
    schema = json.loads(pathlib.Path(schema).read_text("utf-8"))
    Draft7Validator.check_schema(schema)
    validator = Draft7Validator(schema)
    counts = dict.fromkeys(("files", "events", "records", "attachments", "bytes"), 0)
    for path in map(pathlib.Path, paths):
        try:
            check(path, validator, counts)
        except (Fault, ValueError, KeyError, TypeError, zipfile.BadZipFile) as fault:
            sys.exit(f"{path}: {fault if isinstance(fault, Fault) else repr(fault)}")
    print(json.dumps(counts))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
