"""What readers of load files share: a volume's members, their files, and that they are families.
Written from export/FORMATS.md, RFC 6962 and RFC 8259, not from the Rust code."""

import base64
import hashlib
import json
import os
import re

from tables import HASH, POSITION, leaf_hash, need

BOM = b"\xef\xbb\xbf"


def digest(leaves):
    """RFC 6962 tree hash of leaf hashes (section 2.1, each leaf hashed already)."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + digest(leaves[:half]) + digest(leaves[half:])).digest()


def files_under(volume, folder):
    found = set()
    for at, _, names in os.walk(os.path.join(volume, folder)):
        found.update(os.path.relpath(os.path.join(at, name), volume).replace(os.sep, "/") for name in names)
    return found


def read(volume, path, what):
    need(not os.path.isabs(path) and ".." not in path.split("/"), f"{what}: {path!r} leaves the volume")
    full = os.path.join(volume, path)
    need(os.path.isfile(full), f"{what}: {path} is not there")
    with open(full, "rb") as file:
        return file.read()


def check_text(data, what):
    need(data.startswith(BOM), f"{what}: no byte order mark")
    text = data[3:].decode("utf-8")
    need("\n" not in text.replace("\r\n", "") and "\r" not in text.replace("\r\n", ""), f"{what}: line ends")
    need(not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", text), f"{what}: a control character")


def consumed(record, name):
    """The bytes of a member that is a text, or base64, or absent."""
    if f"{name}_base64" in record:
        return base64.b64decode(record[f"{name}_base64"], validate=True)
    return None if record[name] is None else record[name].encode()


def leaf_of(record):
    headers = [(header["name"], consumed(header, "value")) for header in record["headers"]]
    payload = consumed(record, "payload")
    return leaf_hash(record["position"], record["broker_time_ms"], consumed(record, "key"), headers, payload)


def check_native(data, member, what):
    """A document's records are its positions, in their order, and their hashes make its digest."""
    records = json.loads(data.decode("utf-8"))
    need([record["position"] for record in records] == member["positions"], f"{what}: other positions")
    leaves = [bytes.fromhex(record["leaf_hash"]) for record in records]
    need(digest(leaves).hex() == member["digest"], f"{what}: the leaf hashes do not make the digest")
    for record in records:
        need(("payload_base64" in record) <= (record["payload"] is None), f"{what}: two payloads")
        if record["redactions"] == 0:
            need(leaf_of(record) == record["leaf_hash"], f"{what}: {record['position']} has another leaf hash")
        need(isinstance(record["what_happened"], str) and record["type"], f"{what}: a record says nothing")
    need(len(records) == member["records"], f"{what}: the count of records")
    context = sum(record["is_context"] for record in records)
    need(context == member["context"], f"{what}: the count of context")
    need(sum(record["deliveries"] - 1 for record in records) == member["copies"], f"{what}: the count of copies")
    return len(records)


def check_members(volume, members):
    """`members` in their order: number, parent, first and last of the family, kind, native, text, sha256,
    bytes, positions, digest, records, context, copies."""
    counts = {"documents": 0, "attachments": 0, "missing": 0, "records": 0, "files": 0}
    numbers, referred, parent = set(), set(), None
    for n, member in enumerate(members):
        number = member["number"]
        need(number and number not in numbers, f"{number!r} for the second time")
        numbers.add(number)
        need(all(POSITION.fullmatch(position) for position in member["positions"]), f"{number}: no positions")
        need(HASH.fullmatch(member["digest"]), f"{number}: no digest")
        native = read(volume, member["native"], number)
        need(len(native) == member["bytes"], f"{number}: {member['native']} has {len(native)} bytes")
        need(hashlib.sha256(native).hexdigest() == member["sha256"], f"{number}: the hash of {member['native']}")
        for path in filter(None, (member["native"], member["text"])):
            need(path not in referred, f"{number}: {path} is another's")
            referred.add(path)
        if member["text"]:
            check_text(read(volume, member["text"], number), member["text"])
        if member["parent"]:
            need(parent and member["parent"] == parent["number"], f"{number}: is not after its parent")
            need((member["first"], member["last"]) == (parent["first"], parent["last"]), f"{number}: its family")
            need(set(member["positions"]) <= set(parent["positions"]), f"{number}: a record of another document")
            counts["attachments"] += 1
            counts["missing"] += member["kind"].startswith("Missing")
        else:
            need(member["text"], f"{number}: no text")
            family = [child["number"] for child in members[n + 1 :] if child["parent"] == number]
            expected = (number, family[-1]) if family else ("", "")
            need((member["first"], member["last"]) == expected, f"{number}: its family is not {expected}")
            need(member["children"] == family, f"{number}: its attachments are not {family}")
            counts["documents"] += 1
            counts["records"] += check_native(native, member, member["native"])
            parent = member
    there = files_under(volume, "NATIVES") | files_under(volume, "TEXT")
    need(there <= referred, f"files that nothing names: {sorted(there - referred)[:5]}")
    counts["files"] = len(referred)
    return counts
