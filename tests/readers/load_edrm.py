#!/usr/bin/env python3
"""Checks volumes with an EDRM XML 1.2 load file with a reader that is not Custody's.

    load_edrm.py VOLUME...

Each is the folder that has `DATA/edrm.xml`, `NATIVES` and `TEXT`. Exit codes: 0 all is well (counts are
printed as JSON), 1 a fault, 2 called wrongly.
"""

import os
import sys
import xml.etree.ElementTree as ElementTree

from load_files import check_members
from tables import need, run

ROOT = {"MajorVersion": "1", "MinorVersion": "2", "DataInterchangeType": "Update"}
TYPES = {"Text", "LongInteger", "DateTime"}


def only(element, *names):
    found = [child.tag for child in element]
    need(found == list(names), f"{element.tag} has {found}, not {list(names)}")
    return list(element)


def external(file):
    (inside,) = only(file, "ExternalFile")
    need(inside.get("HashType") == "SHA256", "a file without a SHA-256")
    path = "/".join(filter(None, (inside.get("FilePath"), inside.get("FileName"))))
    return path, inside.get("Hash"), int(inside.get("FileSize"))


def member_of(document, fields):
    number = document.get("DocID")
    tags, files = only(document, "Tags", "Files")
    values = {}
    for tag in tags:
        name, kind = tag.get("TagName"), tag.get("TagDataType")
        need(fields.get(name) == kind, f"{number}: the tag {name} of type {kind} is no field")
        need(name not in values, f"{number}: the tag {name} twice")
        values[name] = tag.get("TagValue")
        if kind == "LongInteger":
            int(values[name])
    by_type = {}
    for file in files:
        need(file.get("FileType") not in by_type, f"{number}: two files of a type")
        by_type[file.get("FileType")] = external(file)
    need(set(by_type) in ({"Native"}, {"Native", "Text"}), f"{number}: files {set(by_type)}")
    native, sha256, size = by_type["Native"]
    need(int(values["#FileSize"]) == size, f"{number}: two sizes")
    need(values["BEGBATES"] == number, f"{number}: BEGBATES")
    need(document.get("DocType") == ("File" if "PARENTID" in values else "Message"), f"{number}: DocType")
    return {
        "number": number, "parent": values.get("PARENTID", ""), "first": values.get("BEGATTACH", ""),
        "last": values.get("ENDATTACH", ""), "children": [c for c in values.get("ATTACHIDS", "").split(";") if c],
        "kind": values["DOCTYPE"], "native": native, "text": by_type.get("Text", ("",))[0], "sha256": sha256,
        "bytes": size, "positions": values["POSITIONS"].split(";"), "digest": values["LEAFDIGEST"],
        "records": int(values["RECORDCOUNT"]), "context": int(values["CONTEXTCOUNT"]),
        "copies": int(values["COPYCOUNT"]),
    }


def check(volume):
    try:
        root = ElementTree.parse(os.path.join(volume, "DATA", "edrm.xml")).getroot()
    except ElementTree.ParseError as fault:
        raise ValueError(f"not XML: {fault}") from fault
    need(root.tag == "Root" and ROOT.items() <= root.attrib.items(), f"not EDRM XML 1.2: {root.tag} {root.attrib}")
    only(root, "Fields", *["Batch"] * (len(root) - 1))
    fields = {}
    for field in root[0]:
        need(field.tag == "Field" and field.get("Key") not in fields, f"the field {field.get('Key')}")
        need(field.get("DataType") in TYPES, f"the field {field.get('Key')} of type {field.get('DataType')}")
        fields[field.get("Key")] = field.get("DataType")
    members = []
    for batch in root[1:]:
        documents, relationships = only(batch, "Documents", "Relationships")
        only(documents, *["Document"] * len(documents))
        these = [member_of(document, fields) for document in documents]
        related = [(r.get("Type"), r.get("ParentDocId"), r.get("ChildDocId")) for r in relationships]
        expected = [("Attachment", member["parent"], member["number"]) for member in these if member["parent"]]
        need(related == expected, f"relationships are {related}, not {expected}")
        members += these
    return check_members(volume, members) | {"batches": len(root) - 1}


sys.exit(run(check, sys.argv[1:], __doc__))
