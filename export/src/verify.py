#!/usr/bin/env python3
"""Checks a production of Custody (version 2) without Custody, by FORMAT.md alone.

    python3 verify.py [DIR] [--key NAME+HASH+BASE64 or the file that holds it]

Exit codes: 0 all is as it was written, 1 the check could not be made, 2 the command is wrong, 3 something
differs; each difference is a line. Python 3.9 and, for the signature, `cryptography` or `pynacl`."""
import argparse, base64, hashlib, json, os, re, stat, sys

LINES = ["format_version", "production", "custody_version", "request", "through_version", "count",
         "deliveries", "types", "exceptions", "redactions", "digest", "files", "batches"]
differences = 0


class Unsound(Exception):
    """The rest cannot be read."""


def differs(what):
    global differences
    differences += 1
    print("DIFFERS: " + what.encode("ascii", "backslashreplace").decode())


def check(holds, what):
    if not holds:
        differs(what)
    return holds


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def pairs(members):
    if len(dict(members)) < len(members):
        raise ValueError("a member is there twice")
    return dict(members)


def exact(text, what):
    """The value of JSON that is written without spaces and in one way."""
    try:
        value = json.loads(text, object_pairs_hook=pairs)
        if json.dumps(value, ensure_ascii=False, separators=(",", ":")) == text:
            return value
    except (ValueError, RecursionError):
        pass
    raise Unsound(what + " is not in its form")


def hexadecimal(text, what):
    if not (isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text)):
        raise Unsound(what + " is no hash")
    return bytes.fromhex(text)


def whole(number, what):
    if type(number) is not int or number < 0:
        raise Unsound(what + " is no count")
    return number


def root_of(size, start, known, proof):
    """RFC 6962: the hash of the subtree over `size` rows from `start`, with leaves known by row, in order."""
    if not known:
        return next(proof)
    if size == 1:
        return known[0][1]
    half = 1 << ((size - 1).bit_length() - 1)
    split = next((at for at, (row, _) in enumerate(known) if row >= start + half), len(known))
    left = root_of(half, start, known[:split], proof)
    return sha256(b"\1", left, root_of(size - half, start + half, known[split:], proof))


def grow(edge, leaf):
    """Adds a leaf to the roots of complete subtrees, each with its height."""
    height = 0
    while edge and edge[-1][0] == height:
        leaf, height = sha256(b"\1", edge.pop()[1], leaf), height + 1
    edge.append((height, leaf))


def tip(edge):
    root = edge[-1][1] if edge else sha256(b"")
    for _, left in reversed(edge[:-1]):
        root = sha256(b"\1", left, root)
    return root


def octets(line, name):
    if name + "_base64" in line:
        return base64.b64decode(line[name + "_base64"], validate=True)
    return None if line[name] is None else line[name].encode()


def leaf_of(line):
    """The leaf hash of a line of records.jsonl."""
    def field(value):
        return b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4, "big") + value
    topic, generation, partition, offset = line["position"].rsplit(":", 3)
    time, payload = line["broker_time_ms"], octets(line, "payload")
    parts = [b"\0custody.leaf.v1", field(topic.encode()), field(int(generation).to_bytes(4, "big", signed=True)),
             field(int(partition).to_bytes(4, "big", signed=True)), field(int(offset).to_bytes(8, "big", signed=True)),
             field(None if time is None else time.to_bytes(8, "big", signed=True)), field(octets(line, "key")),
             len(line["headers"]).to_bytes(4, "big")]
    for header in line["headers"]:
        parts += [field(header["name"].encode()), field(octets(header, "value"))]
    return sha256(*parts, field(None if payload is None else sha256(payload)))


def files_of(folder):
    """Every file below a folder, with / between names; what is neither file nor folder differs."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            yield from (entry.name + "/" + below for below in files_of(entry.path))
        else:
            check(stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode), f"{entry.path} is no file")
            yield entry.name


def check_files(folder, files):
    listed = [entry["name"] for entry in files]
    check(listed == sorted(set(listed), key=str.encode), "files are not in order, or there twice")
    present = set(files_of(folder))
    for stranger in sorted(present - set(listed) - {"receipt.json", "receipt.sig"}):
        differs(f"{stranger} is not of the production")
    for entry in files:
        path, expected = entry["name"], hexadecimal(entry["sha256"], "the hash of a file")
        if not check(path in present, f"{path} is missing"):
            continue
        digest, size = hashlib.sha256(), 0
        with open(os.path.join(folder, *path.split("/")), "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
                size += len(block)
        check(size == whole(entry["bytes"], "a size"), f"{path} has {size} bytes, not {entry['bytes']}")
        check(digest.digest() == expected, f"{path} has another SHA-256")


def place(position):
    topic, *numbers = position.rsplit(":", 3)
    if len(numbers) != 3 or not topic or any(not re.fullmatch("0|[1-9][0-9]*", number) for number in numbers):
        raise Unsound(f"{position} is no position")
    return (topic.encode(), *map(int, numbers))


def production_of(receipt):
    """The id that its request, the versions and the digest make."""
    request = json.dumps(receipt["request"], ensure_ascii=False, separators=(",", ":"))
    parts = [request, str(receipt["through_version"]), receipt["custody_version"], receipt["digest"]]
    return sha256(b"custody.production.v1", *(b"\0" + part.encode() for part in parts)).hex()[:32]


def check_records(receipt, entries, lines):
    """Compares the receipt's entries with its other members, and with records.jsonl where it is there."""
    edge, rows, redacted, types, last, count, deliveries, remade = [], {}, {}, {}, None, 0, 0, 0
    for entry in entries:
        position, count = entry["position"], count + 1
        leaf, batch, here = hexadecimal(entry["leaf_hash"], position), entry["batch"], place(position)
        check(last is None or last < here, f"{position} is not after the one before it")
        last = here
        check(batch in receipt["batches"], f"{position} is of batch {batch}, which is not there")
        rows.setdefault(batch, []).append((whole(entry["row"], "a row"), leaf))
        deliveries += 0 if entry.get("context") else whole(entry["deliveries"], "deliveries")
        for rule, times in entry.get("redactions", {}).items():
            redacted[rule] = redacted.get(rule, 0) + whole(times, "a redaction")
        grow(edge, leaf)
        if lines is None:
            continue
        try:
            line = json.loads(next(lines, b"null"), object_pairs_hook=pairs)
            same = all(line[name] == entry[name] for name in ("position", "leaf_hash", "batch"))
            check(same, f"records.jsonl has {line['position']} where the receipt has {position}")
            about = receipt["batches"].get(batch, {})
            same = line["batch_root"] == about.get("root") and line["archived_time"] == about.get("archived_time")
            check(same, f"{position} has another batch in records.jsonl")
            types[line["type"]] = types.get(line["type"], 0) + 1
            if "redactions" not in entry:
                remade += 1
                check(leaf_of(line) == leaf, f"{position} is not what its leaf hash says")
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            differs(f"records.jsonl has no sound line for {position}")
    check(lines is None or next(lines, None) is None, "records.jsonl has more lines than the receipt has records")
    check(count == receipt["count"], f"{count} records, not {receipt['count']}")
    check(sum(receipt["types"].values()) == count, "the types are not as many as the records")
    few = "(other)" not in receipt["types"]
    check(lines is None or not few or types == receipt["types"], "the types are not those of records.jsonl")
    check(receipt["production"] == production_of(receipt), "the production's id is not that of its request")
    check(deliveries == receipt["deliveries"], f"{deliveries} deliveries, not {receipt['deliveries']}")
    check(tip(edge).hex() == receipt["digest"], "the digest is not that of the records")
    told = {rule: whole(about["count"], "a redaction") for rule, about in receipt["redactions"].items()}
    check({rule: times for rule, times in redacted.items() if times} == {rule: n for rule, n in told.items() if n},
          "redactions are not as many as the records have")
    for batch, about in receipt["batches"].items():
        known, size = sorted(rows.get(batch, [])), whole(about["rows"], "a batch's rows")
        proof = iter([hexadecimal(node, "a proof's hash") for node in about["proof"]])
        apart = len({row for row, _ in known}) == len(known) and (not known or known[-1][0] < size)
        try:
            sound = bool(known) and apart and root_of(size, 0, known, proof).hex() == about["root"]
        except StopIteration:
            sound = False
        check(sound and next(proof, None) is None, f"batch {batch}: records and proof do not give its root")
    return count, remade


def verifies(key, text, signature):
    """Whether a signature is true; None when nothing here can tell."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        verify, wrong = Ed25519PublicKey.from_public_bytes(key).verify, InvalidSignature
    except ImportError:
        try:
            from nacl.exceptions import BadSignatureError
            from nacl.signing import VerifyKey
        except ImportError:
            return None
        verify, wrong = (lambda signature, text: VerifyKey(key).verify(text, signature)), (BadSignatureError, ValueError)
    try:
        verify(signature, text)
        return True
    except wrong:
        return False


def public_key(text):
    """A verifier key, as https://c2sp.org/signed-note names them: its name, the hash of both, the key."""
    if os.path.isfile(text):
        with open(text, encoding="utf-8") as file:
            text = file.read().rstrip("\n")
    try:
        name, hash, key = text.split("+", 2)
        key = base64.b64decode(key, validate=True)
        if len(key) == 33 and key[0] == 1 and sha256(name.encode(), b"\n", key)[:4].hex() == hash:
            return name, bytes.fromhex(hash), key[1:]
    except ValueError:
        pass
    raise argparse.ArgumentTypeError("no public key: NAME+HASH+BASE64 is one")


def check_signature(folder, receipt, digest, key):
    path = os.path.join(folder, "receipt.sig")
    if not os.path.exists(path):
        check(key is None, "receipt.sig is missing: nobody signed this receipt")
        return "not signed"
    with open(path, "rb") as file:
        text, _, lines = file.read().rpartition(b"\n\n")
    text += b"\n"
    expected = f"custody.production/v2\n{receipt['production']}\n{base64.b64encode(digest).decode()}\n"
    check(text == expected.encode(), "receipt.sig is of another receipt")
    if key is None:
        return "signed, NOT CHECKED: name the key with --key"
    signed = 0
    for line in lines.decode("utf-8", "replace").splitlines():
        found = re.fullmatch("\u2014 ([^ +]+) ([A-Za-z0-9+/]+=*)", line)
        if not check(found, "receipt.sig has a line that is no signature"):
            continue
        try:
            signature = base64.b64decode(found[2], validate=True)
        except ValueError:
            differs("receipt.sig has a line that is no signature")
            continue
        if found[1] == key[0] and signature[:4] == key[1]:
            signed += 1
            verified = verifies(key[2], text, signature[4:])
            if verified is None:
                return None
            check(verified, f"the signature of {key[0]} is false")
    check(signed, f"{key[0]} did not sign this receipt")
    return f"signed by {key[0]}"


def entries_of(file, digest):
    """The receipt's lines after `"records":[`, read one by one; the last is `]}`."""
    line, comma = file.readline(), True
    while line != b"]}\n":
        digest.update(line)
        text = line.decode().rstrip("\n")
        if not comma or not line.endswith(b"\n"):
            raise Unsound("receipt.json is not in its form")
        comma = text.endswith(",")
        yield exact(text[:-1] if comma else text, "a record of receipt.json")
        line = file.readline()
    digest.update(line)
    if file.read(1):
        raise Unsound("receipt.json goes on after its end")


def head_of(file, digest):
    """The members before the records."""
    receipt = {}
    for at, name in enumerate([None, *LINES, "records"]):
        line = file.readline()
        digest.update(line)
        begins = "{" if at == 0 else f'"{name}":'
        text = line.decode()
        if name == "format_version" and text != '"format_version":2,\n':
            sys.exit("verify.py: this is not version 2 of a production")
        ends = {None: "\n", "records": "[\n"}.get(name, ",\n")
        if not (text.startswith(begins) and text.endswith(ends)):
            raise Unsound(f"receipt.json is not in its form at {name or 'its beginning'}")
        if name in LINES:
            receipt[name] = exact(text[len(begins):-2], name)
    return receipt


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir", nargs="?", default=os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--key", type=public_key, help="whose signature the receipt must have")
    asked = parser.parse_args()
    try:
        with open(os.path.join(asked.dir, "receipt.json"), "rb") as file:
            digest = hashlib.sha256()
            receipt = head_of(file, digest)
            check_files(asked.dir, receipt["files"])
            lines = os.path.join(asked.dir, "records.jsonl")
            lines = open(lines, "rb") if os.path.isfile(lines) else None
            count, remade = check_records(receipt, entries_of(file, digest), lines)
        signed = check_signature(asked.dir, receipt, digest.digest(), asked.key)
    except (Unsound, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        differs(f"receipt.json cannot be read: {error}" if isinstance(error, Unsound) else f"receipt.json: no sound {error}")
        sys.exit(3)
    except OSError as error:
        sys.exit(f"verify.py: {error}")
    print(f"{count} records in {len(receipt['batches'])} batches, {len(receipt['files'])} files; "
          f"{remade} leaf hashes made anew from records.jsonl; {signed or 'signature NOT CHECKED'}")
    if signed is None and not differences:
        sys.exit("verify.py: the signature cannot be checked without a package: pip install cryptography, or pynacl")
    print(f"differences: {differences}" if differences else "all is as it was written")
    sys.exit(3 if differences else 0)


if __name__ == "__main__":
    main()
