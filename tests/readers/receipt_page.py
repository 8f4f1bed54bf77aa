#!/usr/bin/env python3
"""Reads the receipt pages of productions without Custody, strictly.

    receipt_page.py DIR...

Checks that RECEIPT.html is well formed, can run and load nothing, is accessible in
what can be told from its markup, and says what receipt.json says, which lists it.
Prints counts as JSON; exits 1 with the file and the fault.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

import html_reader
from html_reader import Fault, check_bytes, check_links, check_policy, need

html_reader.ELEMENTS |= {"caption": set(), "code": set()}
html_reader.PARENTS |= {"caption": {"table"}}
ROWS_MAX = 2_000


class Page(html_reader.Page):
    def __init__(self):
        super().__init__()
        self.captions, self.by_caption, self.facts = [], {}, {}
        self.fact = None

    def handle_starttag(self, tag, attrs):
        super().handle_starttag(tag, attrs)
        if tag == "caption":
            self.captions.append("")
        elif tag == "dt":
            self.fact = ""
        elif tag == "dd":
            self.facts[self.fact] = ""

    def handle_endtag(self, tag):
        super().handle_endtag(tag)
        if tag == "tr":
            self.by_caption.setdefault(self.captions[-1], []).append(self.rows[-1][1])

    def handle_data(self, data):
        super().handle_data(data)
        open_tags = [tag for tag, _ in self.stack]
        if "caption" in open_tags:
            self.captions[-1] += data
        elif "dt" in open_tags:
            self.fact += data
        elif "dd" in open_tags:
            self.facts[self.fact] += data

    def table(self, caption, expected):
        """The rows of the table whose caption begins so must be the first of these."""
        rows = [rows[1:] for name, rows in self.by_caption.items() if name.startswith(caption)]
        need(len(rows) == bool(expected), f"{len(rows)} tables {caption!r}")
        if expected:
            need(rows[0] == expected[:ROWS_MAX], f"the table {caption!r} is not that of receipt.json")


def unmarked(text):
    """A text whose characters that nobody would see are shown by their numbers."""
    return re.sub("\u27e6U\\+([0-9A-F]{4,6})\u27e7", lambda found: chr(int(found[1], 16)), text or "")


def shown(number):
    return f"{number:,}"


def check(folder):
    data = (folder / "RECEIPT.html").read_bytes()
    text = data.decode("utf-8")
    check_bytes(text)
    page = Page()
    page.feed(text)
    page.close()
    need(not page.stack, "an element is not closed")
    need(text.startswith("<!DOCTYPE html>") and page.lang, "no doctype or no language")
    need(page.headings and page.headings[0] == "h1" and page.headings.count("h1") == 1, "not one <h1> first")
    need(len(page.captions) == page.tables == len(page.by_caption), "a table without a caption of its own")
    check_policy(page)
    check_links(page, folder / "RECEIPT.html")

    receipt = json.loads((folder / "receipt.json").read_bytes())
    request = receipt["request"]
    need(receipt["production"] in page.title, "the title is of another production")
    for fact, value in [("Asked for by", request["who"]), ("Reason", request["why"]),
                        ("Query as typed", request["query"]),
                        ("Query as it was understood", request["query_canonical"]),
                        ("Time zone of dates and days", request["zone"]),
                        ("Written by", "Custody " + receipt["custody_version"]),
                        ("Archive", f"complete through version {receipt['through_version']}")]:
        # A line ends in one way on the page.
        need(unmarked(page.facts.get(fact)) == value.replace("\r\n", "\n"), f"{fact!r} is {page.facts.get(fact)!r}, not {value!r}")
    need(receipt["digest"] in page.hashes, "the digest is not there")
    produced = {}
    for record in receipt["records"]:
        produced[record["batch"]] = produced.get(record["batch"], 0) + 1
    page.table("Records by type", [[name, shown(count)] for name, count in receipt["types"].items()])
    page.table("Batches", [[batch, about["archived_time"], shown(about["rows"]), shown(produced[batch]), about["root"]]
                           for batch, about in receipt["batches"].items()])
    listed = {file["name"]: file for file in receipt["files"]}
    own = listed.pop("RECEIPT.html")
    need(own["bytes"] == len(data) and own["sha256"] == hashlib.sha256(data).hexdigest(), "receipt.json lists another")
    page.table("Files", [[file["name"], shown(file["bytes"]), file["sha256"]] for file in listed.values()])
    rules = request["options"].get("redactions", [])
    rows = [rows[1:] for name, rows in page.by_caption.items() if name.startswith("Redactions")]
    found = [(row[0], row[2], row[3]) for row in rows[0]] if rows else []
    expected = [(rule["name"], rule["reason"], shown(receipt["redactions"][rule["name"]]["count"])) for rule in rules]
    need(found == expected, "the redactions are not those of receipt.json")
    return {"pages": 1, "records": receipt["count"], "tables": page.tables}


def main(paths):
    total = {"pages": 0, "records": 0, "tables": 0}
    for path in paths:
        try:
            counts = check(Path(path))
        except (Fault, ValueError, KeyError, IndexError, OSError) as fault:
            print(f"{path}: {fault}", file=sys.stderr)
            return 1
        for name, n in counts.items():
            total[name] += n
    print(json.dumps(total))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
