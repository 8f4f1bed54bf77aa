#!/usr/bin/env python3
"""Checks Persistent Chat compliance XML strictly: chat_xml.py XSD FILE...

XSD is persistent-chat-compliance.xsd of MicrosoftDocs/OfficeDocs-SkypeForBusiness. Beside the schema:
the three forms of each time agree, times are in order, ids count up, addresses are URIs, files are
there and what they were, and each message has one instruction that says which record it is.

Standard output is counts as JSON. Exit code 1: a message on standard error names file and fault.
"""

import hashlib
import json
import pathlib
import re
import sys
from datetime import datetime, timedelta, timezone
from urllib.parse import unquote

from lxml import etree

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
YEAR_1 = datetime(1, 1, 1, tzinfo=timezone.utc)
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z")
# RFC 3986, appendix A, without an authority but for our own.
URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:)?(//[a-z.]+/)?([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})*")
RECORD = re.compile(
    r'position="([^"]+)" leaf-sha256="([0-9a-f]{64})" type="([^"]+)" '
    r'context="(yes|no)" deliveries="([1-9]\d*)" redactions="(\d+)"'
)
FILE = re.compile(r'name="([^"]+)" number="([^"]+)" missing="(yes|no)" sha256="([^"]*)"')
DOCUMENT = re.compile(
    r'number="([^"]+)" production="([^"]+)" through-version="(\d+)" day="(-?\d+-\d\d-\d\d)" '
    r'part="(\d+)" parts="(\d+)" records="(\d+)"'
)


class Fault(Exception):
    pass


def need(condition, message):
    if not condition:
        raise Fault(message)


def time(element, what):
    text = element.get("string")
    need(TIME.fullmatch(text), f"{what}: no time in UTC with Z: {text!r}")
    at = datetime.fromisoformat(text)
    need(int(element.get("since1970")) == (at - EPOCH) // timedelta(milliseconds=1), f"{what}: since1970")
    need(int(element.get("long")) == (at - YEAR_1) // timedelta(microseconds=1) * 10, f"{what}: long")
    return at


def instruction(element, target, form, what):
    found = [each for each in element if each.tag is etree.PI and each.target != "custody-file"]
    need([each.target for each in found] == [target], f"{what}: not one instruction {target}")
    match = form.fullmatch(found[0].text)
    need(match, f"{what}: an instruction of another form: {found[0].text!r}")
    return match


def sender(message, senders, what):
    found = message.findall("Sender")
    need(len(found) <= 1, f"{what}: more than one sender")
    for each in found:
        need(each.get("UserName"), f"{what}: a sender without a name")
        need(URI.fullmatch(each.get("uri", "")), f"{what}: no URI: {each.get('uri')!r}")
        known = senders.setdefault(each.get("id"), dict(each.attrib))
        need(known == dict(each.attrib), f"{what}: two senders have the id {each.get('id')}")


def attributes(message):
    inner = [(each.tag, dict(each.attrib)) for each in message if isinstance(each.tag, str)]
    return dict(message.attrib), inner


def check_files(message, folder, what):
    """The names of a message's files, which are there and what they were."""
    names = []
    for each in message:
        if each.tag is etree.PI and each.target == "custody-file":
            match = FILE.fullmatch(each.text)
            need(match, f"{what}: an instruction of another form: {each.text!r}")
            names.append(unquote(match[1]))
            need("/" not in names[-1], f"{what}: a file in another folder")
            path = folder / "files" / names[-1]
            need(path.is_file(), f"{what}: its file is not there: {names[-1]}")
            if match[3] == "no" and match[4]:
                found = hashlib.sha256(path.read_bytes()).hexdigest()
                need(found == match[4], f"{what}: its file is not what it was: {names[-1]}")
    return names


def check_messages(conversation, folder, counts):
    messages = conversation.findall("Messages/Message")
    senders, positions, times, files = {}, set(), [], set()
    for at, message in enumerate(messages, 1):
        what = f"message {at}"
        need(message.get("id") == str(at), f"{what}: its id is {message.get('id')}")
        record = instruction(message, "custody-record", RECORD, what)
        need(record[1] not in positions, f"{what}: its position is there already: {record[1]}")
        need(re.fullmatch(r".+:\d+:\d+:\d+", unquote(record[1]), re.S), f"{what}: no position: {record[1]}")
        positions.add(record[1])
        sender(message, senders, what)
        found = message.findall("DateTimeUTC")
        need(len(found) <= 1, f"{what}: more than one time")
        times += [time(each, what) for each in found]
        names = check_files(message, folder, what)
        if message.get("type") == "FILEUPLOAD" and names:
            need(message.get("content") == names[0], f"{what}: its content is not its file")
        files.update(names)
    counts["files"] += len(files)
    need(all(a <= b for a, b in zip(times, times[1:])), "the messages are not in order of time")
    first = conversation.findall("FirstMessage")
    need(len(first) == 1 and attributes(first[0]) == attributes(messages[0]), "FirstMessage is not the first")
    if len(times) == len(messages):
        for name, at in (("StartTimeUTC", times[0]), ("EndTimeUTC", times[-1])):
            found = [time(each, name) for each in conversation.findall(name)]
            need(found == [at], f"{name} is not that of its message")
    return len(messages)


def check(path, schema, counts):
    data = path.read_bytes()
    need(data.startswith(b'<?xml version="1.0" encoding="utf-8"?>\n'), "no declaration")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    tree = etree.fromstring(data, parser).getroottree()
    need(tree.docinfo.doctype == "", "a document type")
    schema.assertValid(tree)
    root = tree.getroot()
    need(len(root) == 1, f"{len(root)} conversations")
    before = root.getprevious()
    need(before is not None and before.target == "custody-document", "no instruction custody-document")
    document = DOCUMENT.fullmatch(before.text)
    need(document, f"an instruction of another form: {before.text!r}")
    need(unquote(document[1]) == path.stem, "the number is not the file's name")
    conversation = root[0]
    need(URI.fullmatch(conversation.find("Channel").get("uri")), "the channel's URI")
    messages = check_messages(conversation, path.parent, counts)
    need(str(messages) == document[7], f"{messages} messages, {document[7]} records")
    counts["documents"] += 1
    counts["messages"] += messages


def main(xsd, paths):
    schema = etree.XMLSchema(etree.parse(xsd))
    counts = dict.fromkeys(("documents", "messages", "files"), 0)
    for path in map(pathlib.Path, paths):
        try:
            check(path, schema, counts)
        except (Fault, ValueError, TypeError, AttributeError, etree.Error) as fault:
            sys.exit(f"{path}: {fault if isinstance(fault, Fault) else repr(fault)}")
    print(json.dumps(counts))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
