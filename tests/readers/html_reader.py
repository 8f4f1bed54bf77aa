#!/usr/bin/env python3
"""Reads HTML transcripts of productions without Custody, strictly.

    html_reader.py PAGE.html...

Written from the HTML and CSP specifications and FORMATS.md. Checks that a page
is well formed, can run and load nothing, is accessible in what can be told from
its markup, and names each record once with the same hash in its evidence.
Prints counts as JSON; exits 1 with the file and the fault.
"""

import base64
import hashlib
import json
import re
import sys
import unicodedata
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

VOID = {"meta"}
GLOBAL = {"class", "id", "lang", "dir"}
ELEMENTS = {
    "html": set(), "head": set(), "title": set(), "style": set(), "body": set(),
    "meta": {"charset", "http-equiv", "content", "name"},
    "header": set(), "main": set(), "footer": set(), "section": {"aria-labelledby"},
    "h1": set(), "h2": set(), "p": set(), "div": set(), "span": set(), "b": set(), "i": set(),
    "bdi": set(), "a": {"href"}, "time": {"datetime"}, "dl": set(), "dt": set(), "dd": set(),
    "ol": set(), "ul": set(), "li": {"data-position", "data-leaf"}, "table": set(), "thead": set(),
    "tbody": set(), "tr": set(), "th": {"scope"}, "td": {"colspan"},
}
PARENTS = {"li": {"ol", "ul"}, "tr": {"thead", "tbody"}, "td": {"tr"}, "th": {"tr"}, "dt": {"div"},
           "dd": {"div"}, "thead": {"table"}, "tbody": {"table"}}
HEX = re.compile(r"[0-9a-f]{64}\Z")


class Fault(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Fault(what)


class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.stack, self.ids, self.refs, self.links = [], set(), [], []
        self.styles, self.metas, self.headings, self.times = [], [], [], []
        self.records, self.rows, self.row, self.tables = [], [], None, 0
        self.doctype, self.lang, self.title, self.hashes = None, None, "", []
        self.texts = 0

    def handle_decl(self, decl):
        need(self.doctype is None and not self.stack, "a second doctype, or a late one")
        self.doctype = decl

    def handle_comment(self, data):
        raise Fault(f"a comment: {data[:40]!r}")

    def handle_pi(self, data):
        raise Fault(f"a processing instruction: {data[:40]!r}")

    def unknown_decl(self, data):
        raise Fault(f"an unknown declaration: {data[:40]!r}")

    def handle_startendtag(self, tag, attrs):
        raise Fault(f"<{tag}/>: a void tag of XML")

    def handle_starttag(self, tag, attrs):
        need(tag in ELEMENTS, f"<{tag}> is not among the elements of a transcript")
        names = [name for name, _ in attrs]
        need(len(names) == len(set(names)), f"<{tag}> has an attribute twice")
        for name, value in attrs:
            need(name in GLOBAL | ELEMENTS[tag], f"<{tag}> has the attribute {name}")
            need(value is not None, f"<{tag} {name}> has no value")
        attrs = dict(attrs)
        parent = self.stack[-1][0] if self.stack else None
        need(tag not in PARENTS or parent in PARENTS[tag], f"<{tag}> stands in <{parent}>")
        if "id" in attrs:
            need(attrs["id"] not in self.ids, f"the id {attrs['id']} twice")
            self.ids.add(attrs["id"])
        if tag == "html":
            self.lang = attrs.get("lang")
        elif tag == "meta":
            self.metas.append(attrs)
        elif tag == "a":
            self.links.append(attrs.get("href", ""))
        elif tag == "section":
            self.refs.append(attrs.get("aria-labelledby", ""))
        elif tag in ("h1", "h2"):
            self.headings.append(tag)
        elif tag == "time":
            self.times.append(attrs.get("datetime", ""))
        elif tag == "table":
            self.tables += 1
        elif tag == "th":
            need(attrs.get("scope") in ("col", "row"), "<th> without a scope")
        elif tag == "tr":
            self.row = (attrs.get("id"), [])
        elif tag == "li" and "data-position" in attrs:
            depth = sum(1 for name, _ in self.stack if name == "li")
            self.records.append((attrs.get("id", ""), attrs["data-position"], attrs.get("data-leaf", ""), depth))
        if tag in ("td", "th") and self.row is not None:
            self.row[1].append("")
        self.texts += attrs.get("class") == "text"
        if attrs.get("class") == "hash":
            self.hashes.append("")
        if tag not in VOID:
            self.stack.append((tag, attrs.get("class")))

    def handle_endtag(self, tag):
        need(self.stack and self.stack[-1][0] == tag, f"</{tag}> closes nothing")
        self.stack.pop()
        if tag == "tr":
            self.rows.append(self.row)
            self.row = None

    def handle_data(self, data):
        if not self.stack:
            need(not data.strip(), f"text outside of the page: {data[:40]!r}")
            return
        tag, kind = self.stack[-1]
        if tag == "style":
            self.styles.append(data)
        elif tag == "title":
            self.title += data
        if self.row is not None and self.row[1]:
            self.row[1][-1] += data
        if kind == "hash":
            self.hashes[-1] += data


def check_bytes(text):
    for c in text:
        category = unicodedata.category(c)
        joins = c in "\u200c\u200d"
        need(c in "\n\t" or joins or category not in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp"),
             f"the character U+{ord(c):04X}")
        need(ord(c) & 0xFFFE != 0xFFFE, f"the noncharacter U+{ord(c):04X}")


def check_policy(page):
    need(page.metas and page.metas[0].get("charset") == "utf-8", "the first <meta> is not the charset")
    policies = [m["content"] for m in page.metas if m.get("http-equiv", "").lower() == "content-security-policy"]
    need(len(policies) == 1, f"{len(policies)} policies")
    rules = {}
    for rule in policies[0].split(";"):
        name, *values = rule.split()
        need(name not in rules, f"the policy says {name} twice")
        rules[name] = values
    need(rules.get("default-src") == ["'none'"], "default-src is not 'none'")
    need(rules.get("base-uri") == ["'none'"] and rules.get("form-action") == ["'none'"],
         "base-uri and form-action are not 'none'")
    need(set(rules) == {"default-src", "style-src", "base-uri", "form-action"}, "other rules in the policy")
    expected = ["'sha256-" + base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() + "'" for s in page.styles]
    need(rules["style-src"] == expected, "style-src is not the hashes of the page's styles")
    for style in page.styles:
        need(not re.search(r"url\s*\(|@import|expression|\\", style), "a style that could load something")
    need(not any("refresh" == m.get("http-equiv", "").lower() for m in page.metas), "a refresh")


def check_links(page, path):
    for link in page.links:
        if link.startswith("#"):
            need(link[1:] in page.ids, f"{link} leads nowhere")
            continue
        need(re.fullmatch(r"[A-Za-z0-9_.%/-]+", link) and not link.startswith("/"), f"the link {link!r}")
        parts = unquote(link, errors="strict").split("/")
        need(".." not in parts and "." not in parts and "" not in parts, f"the link {link!r} leaves its folder")
        need(path.parent.joinpath(*parts).is_file(), f"the file of the link {link!r} is not there")
    for ref in page.refs:
        need(ref in page.ids, f"a section is labelled by {ref!r}, which is not there")
    for time in page.times:
        try:
            moment = datetime.fromisoformat(time)
        except ValueError:
            raise Fault(f"the time {time!r}") from None
        need(len(time) == 10 or moment.tzinfo is not None, f"the time {time!r} has no offset")


def check_records(page):
    need(page.records, "no record")
    count = len(page.records)
    by_id = {id: (position, leaf) for id, position, leaf, _ in page.records}
    need(set(by_id) == {f"r{n}" for n in range(1, count + 1)}, "records are not numbered from 1")
    need(len({position for _, position, _, _ in page.records}) == count, "a position twice")
    top = [int(id[1:]) for id, _, _, depth in page.records if depth == 0]
    need(top == sorted(top), "records are not in their order")
    evidence = [row for row in page.rows if row[0]]
    need([id for id, _ in evidence] == [f"e{n}" for n in range(1, count + 1)], "evidence is not one row a record")
    digest = hashlib.sha256()
    batches = {cells[0] for id, cells in page.rows if id is None and len(cells) == 3}
    for (id, cells) in evidence:
        need(len(cells) == 5, f"{id} has {len(cells)} cells")
        number, position, leaf, batch, archived = cells
        need(id == f"e{number}" and by_id[f"r{number}"] == (position, leaf), f"{id} is not of record {number}")
        need(HEX.match(leaf), f"{id}: the leaf hash {leaf!r}")
        need(re.fullmatch(r".+:\d+:\d+:\d+", position), f"{id}: the position {position!r}")
        need(batch in batches, f"{id}: no batch {batch!r}")
        digest.update(bytes.fromhex(leaf))
    need(page.hashes and page.hashes[-1] == digest.hexdigest(), "the digest is not that of the leaf hashes")
    return count


def check(path):
    data = path.read_bytes()
    text = data.decode("utf-8")
    check_bytes(text)
    page = Page()
    page.feed(text)
    page.close()
    need(not page.stack, f"<{page.stack and page.stack[-1][0]}> is not closed")
    need(page.doctype == "DOCTYPE html" and text.startswith("<!DOCTYPE html>"), "no doctype at the beginning")
    need(page.lang, "no language")
    need(page.title.strip(), "no title")
    need(page.headings and page.headings[0] == "h1" and page.headings.count("h1") == 1, "not one <h1> first")
    for element in ("header", "main", "footer"):
        need(text.count(f"<{element}>") == 1, f"not one <{element}>")
    check_policy(page)
    check_links(page, path)
    people = [cells for id, cells in page.rows if id is None and len(cells) == 5]
    return {"records": check_records(page), "texts": page.texts, "participants": len(people) - 2,
            "links": sum(not link.startswith("#") for link in page.links)}


def main(paths):
    total = {"files": 0, "records": 0, "texts": 0, "participants": 0, "links": 0}
    for path in paths:
        try:
            counts = check(Path(path))
        except (Fault, ValueError, KeyError, OSError) as fault:
            print(f"{path}: {fault}", file=sys.stderr)
            return 1
        total["files"] += 1
        for name, n in counts.items():
            total[name] += n
    print(json.dumps(total))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
