#!/usr/bin/env python3
"""Reads PDF transcripts of a production without Custody, with poppler's tools.

    pdf_reader.py PRODUCTION [HTML_PRODUCTION]

Written from FORMATS.md. Checks that each file is tagged PDF/A with its fonts in
it, that every page has its number and the document's, and that the records, in
the pages' text, are those of the cross-reference with their hashes. With the same
production as HTML, every text of a page stands in the PDF as well, in order.
Prints counts as JSON; exits 1 with the file and the fault.
"""

import csv
import json
import os
import re
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

# Head and foot of a page are outside of this, in points.
BODY = {"x": 0, "y": 58, "W": 596, "H": 720}
ROW = re.compile(r"(\d+) (\S+) ([0-9a-f]{64}) (\d+) \d{4,}-")


class Fault(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Fault(what)


def run(*command):
    done = subprocess.run(command, capture_output=True)
    need(done.returncode == 0, f"{command[0]}: {done.stderr.decode(errors='replace').strip()[:200]}")
    # A boolean is what ISO 32000 asks for there (table 321).
    told = done.stderr.decode(errors="replace").replace("Syntax Error: Suspects object is wrong type (boolean)", "")
    need(not told.strip(), f"{command[0]} complains: {told.strip()[:200]}")
    return done.stdout.decode("utf-8")


def squeezed(text):
    """Without blanks and what is never seen, in one form of each character."""
    seen = (c for c in text if not c.isspace() and unicodedata.category(c) != "Cf" and c not in "\ufe0e\ufe0f")
    return unicodedata.normalize("NFKC", "".join(seen))


def is_rtl(text):
    return any(unicodedata.bidirectional(c) in ("R", "AL") for c in text)


class Texts(HTMLParser):
    """What people wrote, of an HTML transcript."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.texts, self.depth = [], 0

    def handle_starttag(self, tag, attrs):
        if self.depth and tag == "div":
            self.depth += 1
        elif tag == "div" and dict(attrs).get("class") == "text":
            self.texts.append("")
            self.depth = 1

    def handle_endtag(self, tag):
        self.depth -= bool(self.depth and tag == "div")

    def handle_data(self, data):
        if self.depth:
            self.texts[-1] += data


def check_info(path, number):
    info = dict(re.match(r"([^:]+):\s*(.*)", line).groups() for line in run("pdfinfo", path).splitlines() if ":" in line)
    for name, expected in [("Tagged", "yes"), ("Encrypted", "no"), ("JavaScript", "no"), ("Form", "none"),
                           ("PDF version", "1.7")]:
        need(info.get(name, "").startswith(expected), f"{name} is {info.get(name)!r}, not {expected!r}")
    need(info.get("Title", "").startswith(number + " "), f"the title is {info.get('Title')!r}")
    need("A4" in info.get("Page size", ""), f"the pages are {info.get('Page size')!r}")
    said = b"<pdfaid:part>2</pdfaid:part><pdfaid:conformance>U</pdfaid:conformance>"
    need(said in path.read_bytes(), "it does not say that it is PDF/A-2u")
    return int(info["Pages"])


def check_fonts(path):
    head, _, *rows = run("pdffonts", path).splitlines()
    at = [head.index(name) for name in ("emb", "sub", "uni")]
    for row in rows:
        need([row[n:n + 3] for n in at] == ["yes"] * 3, f"a font is not in it, or has no characters: {row!r}")
    return len(rows)


def records_of(body):
    """The rows of the evidence: number, position, leaf hash."""
    evidence = re.split(r"^Record Position Leaf hash", body, maxsplit=1, flags=re.M)
    need(len(evidence) == 2, "there is no evidence")
    found, open_row = [], False
    for line in evidence[1].splitlines():
        row = ROW.match(line)
        if row:
            found.append([int(row[1]), row[2], row[3]])
        # A position that is longer than its column goes on in the next line.
        open_row = bool(row) or (open_row and found and line.strip() and not line.startswith(("Record ", "Batch ")))
        if open_row and not row and re.fullmatch(r"\S+", line.strip()):
            found[-1][1] += line.strip()
    return found


def check(path, expected, missing, page, at):
    number = path.stem
    pages = check_info(path, number)
    # All have the same fonts.
    if at % 8 == 0:
        check_fonts(path)
    crop = [part for name, value in BODY.items() for part in (f"-{name}", str(value))]
    body = run("pdftotext", "-raw", "-enc", "UTF-8", *crop, path, "-")
    whole = run("pdftotext", "-raw", "-enc", "UTF-8", path, "-").split("\f")[:-1]
    need(len(whole) == pages, f"{len(whole)} pages of text, {pages} in all")
    for at, text in enumerate(whole, 1):
        need(re.search(rf"Production [0-9a-f]{{32}} Page {at} of {pages} {re.escape(number)}\s*$", text),
             f"page {at} does not say what it is: {text[-200:]!r}")
    rows = records_of(body)
    need([row[0] for row in rows] == list(range(1, len(rows) + 1)), "the records are not counted from 1")
    named = sorted((position, leaf) for _, position, leaf in rows)
    need(named == sorted(expected), f"{len(named)} records are not the {len(expected)} of the cross-reference")
    flat = squeezed(body)
    for n, position, leaf in rows:
        need(f"record{n}{position}{leaf[:16]}" in flat, f"record {n} is not among the records")
    texts = 0
    if page is not None:
        texts = check_texts(flat, words(body), missing, page)
    return pages, len(rows), texts


def words(text):
    """The letters of each word. Poppler gives the words of a line from left to right, and turns ligatures
    around that are written from right to left."""
    seen = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return {"".join(sorted(word)) for word in re.findall(r"\w+", unicodedata.normalize("NFKC", seen))}


def check_texts(flat, known, missing, page):
    """Every text of the HTML page is in the PDF's, one after another."""
    parser = Texts()
    parser.feed(page.read_text(encoding="utf-8"))
    at = 0
    for text in parser.texts:
        for char in missing:
            text = text.replace(char, f"[U+{ord(char):04X}]")
        if is_rtl(text):
            for word in words(text):
                need(word in known, f"the word {word!r} is not in it")
            continue
        wanted = squeezed(text)
        found = flat.find(wanted, at)
        need(found >= 0, f"the text {text[:80]!r} is not in it where it should be")
        at = found + len(wanted)
    return len(parser.texts)


def main(production, html=None):
    production = Path(production)
    expected = {}
    with open(production / "cross-reference.csv", newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            expected.setdefault(row["number"], []).append((row["position"], row["leaf_hash"]))
    missing = {}
    with open(production / "exceptions.csv", newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["what"].startswith("no font has "):
                need(" more:" not in row["what"], f"{row['number']} lacks more characters than are named")
                codes = re.findall(r"U\+([0-9A-F]+)", row["what"])
                missing[row["number"]] = [chr(int(code, 16)) for code in codes]
    files = sorted(production.glob("**/pdf/*.pdf"))
    need(files, "there is no PDF")
    totals = [0, 0, 0]

    def one(numbered):
        at, path = numbered
        page = Path(html) / "html" / f"{path.stem}.html" if html else None
        try:
            return check(path, expected.get(path.stem, []), missing.get(path.stem, []), page, at)
        except Fault as fault:
            raise Fault(f"{path}: {fault}") from None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for counts in pool.map(one, enumerate(files)):
            totals = [total + count for total, count in zip(totals, counts)]
    print(json.dumps({"documents": len(files), "pages": totals[0], "records": totals[1], "texts": totals[2]}))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except Fault as fault:
        sys.exit(f"{fault}")
