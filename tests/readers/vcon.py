#!/usr/bin/env python3
"""Checks vCon files strictly: vcon.py SCHEMA FILE...

SCHEMA is vcon_json_schema.json of draft-ietf-vcon-vcon-core. Beside the schema: what refers to what,
which members a dialog of each type may have, and that the attachment "evidence" names every dialog's
record once. Written from the draft, not from Custody's code.

Standard output is counts as JSON. Exit code 1: a message on standard error names file and fault.
"""

import base64
import hashlib
import json
import pathlib
import re
import sys
from datetime import datetime

from jsonschema import Draft7Validator

UUID8 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z")
CONTENT = {"body", "encoding", "url", "content_hash", "mediatype", "filename"}


class Fault(Exception):
    pass


def need(condition, message):
    if not condition:
        raise Fault(message)


def no_repeats(pairs):
    members = dict(pairs)
    need(len(members) == len(pairs), f"a member is twice in an object: {[name for name, _ in pairs]}")
    return members


def known(thing, schema, what):
    extra = set(thing) - set(schema["properties"])
    need(not extra, f"{what}: members that are not of the draft: {sorted(extra)}")


def time(text, what):
    need(TIME.fullmatch(text), f"{what}: no time in UTC with Z: {text!r}")
    datetime.fromisoformat(text)


def party(index, vcon, what):
    need(isinstance(index, int) and 0 <= index < len(vcon["parties"]), f"{what}: no party {index}")


def check_dialog(at, dialog, vcon, schema):
    what = f"dialog {at}"
    known(dialog, schema, what)
    time(dialog["start"], what)
    parties = dialog.get("parties", [])
    for each in parties if isinstance(parties, list) else [parties]:
        party(each, vcon, what)
    need(len(set(parties)) == len(parties), f"{what}: a party is twice")
    kind = dialog["type"]
    if kind == "text":
        need({"body", "encoding", "mediatype"} <= set(dialog), f"{what}: a text without a body")
        need(isinstance(dialog["body"], str) and dialog["encoding"] == "none", f"{what}: its encoding")
        need(dialog["mediatype"] in ("text/plain", "text/html"), f"{what}: {dialog['mediatype']}")
    else:
        need(not CONTENT & set(dialog), f"{what}: a {kind} with content")
    need((kind == "incomplete") == ("disposition" in dialog), f"{what}: a {kind} and a disposition")
    need("duration" not in dialog or kind == "recording", f"{what}: a {kind} with a duration")
    for each in dialog.get("party_history", []):
        party(each["party"], vcon, f"{what}: its history")
        time(each["time"], f"{what}: its history")


def content(attachment, what):
    """The bytes of an attachment, or its JSON."""
    body, encoding = attachment["body"], attachment["encoding"]
    if encoding == "json":
        return body
    need(isinstance(body, str), f"{what}: a body that is no text")
    if encoding == "none":
        return body.encode()
    need(re.fullmatch(r"[A-Za-z0-9_-]*", body), f"{what}: no base64url without padding")
    data = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    need(base64.urlsafe_b64encode(data).decode().rstrip("=") == body, f"{what}: bits after its last byte")
    return data


def check_evidence(vcon, evidence, contents):
    records = evidence["records"]
    need([r["dialog"] for r in records] == list(range(len(vcon["dialog"]))), "not one record for each dialog")
    positions = [record["position"] for record in records]
    need(len(set(positions)) == len(positions), "a position is twice")
    for position in positions:
        need(re.fullmatch(r".+:\d+:\d+:\d+", position, re.S), f"no position: {position!r}")
    leaves = b"".join(bytes.fromhex(record["leaf_sha256"]) for record in records)
    need(len(leaves) == 32 * len(records), "a leaf hash is not of 32 bytes")
    need(hashlib.sha256(leaves).hexdigest() == evidence["leaf_digest"], "the digest is not of these leaves")
    for record in records:
        has_body = "body" in vcon["dialog"][record["dialog"]]
        need(has_body != bool(record.get("text")), f"dialog {record['dialog']}: its text is not told once")
    need([p["party"] for p in evidence["parties"]] == list(range(len(vcon["parties"]) - 1)), "the parties")
    need([f["attachment"] for f in evidence["files"]] == list(range(len(vcon["attachments"]) - 1)), "the files")
    for file in evidence["files"]:
        if not file["is_missing"] and file["sha256"] is not None:
            found = hashlib.sha256(contents[file["attachment"]]).hexdigest()
            need(found == file["sha256"], f"attachment {file['attachment']} is not the file that it was")


def check(path, schema, validator, counts):
    need(path.suffix == ".vcon", "the name does not end in .vcon")
    vcon = json.loads(path.read_text("utf-8"), object_pairs_hook=no_repeats)
    errors = sorted(validator.iter_errors(vcon), key=str)
    need(not errors, f"the schema: {errors and errors[0].json_path}: {errors and errors[0].message}")
    known(vcon, schema, "the vCon")
    need(UUID8.fullmatch(vcon["uuid"]), f"no UUID of version 8: {vcon['uuid']}")
    time(vcon["created_at"], "created_at")
    need(vcon["analysis"] == [], "an analysis")
    for at, each in enumerate(vcon["parties"]):
        known(each, schema["definitions"]["Party"], f"party {at}")
    for at, dialog in enumerate(vcon["dialog"]):
        check_dialog(at, dialog, vcon, schema["definitions"]["Dialog"])
    contents = []
    for at, attachment in enumerate(vcon["attachments"]):
        what = f"attachment {at}"
        known(attachment, schema["definitions"]["Attachment"], what)
        time(attachment["start"], what)
        party(attachment["party"], vcon, what)
        need(attachment["dialog"] < len(vcon["dialog"]), f"{what}: no dialog {attachment['dialog']}")
        contents.append(content(attachment, what))
    found = [at for at, each in enumerate(vcon["attachments"]) if each.get("purpose") == "evidence"]
    need(found == [len(contents) - 1], "the evidence is not the last attachment, once")
    check_evidence(vcon, contents[-1], contents)
    redacted = any(record["redactions"] for record in contents[-1]["records"])
    need(redacted == ("redacted" in vcon), "redactions are not told")
    counts["files"] += 1
    counts["dialogs"] += len(vcon["dialog"])
    counts["attachments"] += len(contents) - 1


def main(schema, paths):
    schema = json.loads(pathlib.Path(schema).read_text("utf-8"))
    Draft7Validator.check_schema(schema)
    counts = dict.fromkeys(("files", "dialogs", "attachments"), 0)
    for path in map(pathlib.Path, paths):
        try:
            check(path, schema, Draft7Validator(schema), counts)
        except (Fault, ValueError, KeyError, TypeError) as fault:
            sys.exit(f"{path}: {fault if isinstance(fault, Fault) else repr(fault)}")
    print(json.dumps(counts))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
