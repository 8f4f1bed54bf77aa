#!/usr/bin/env python3
"""Checks `records.xlsx` files of productions with openpyxl.

    records_xlsx.py FILE...

Exit codes: 0 all is well (counts are printed as JSON), 1 a fault, 2 called wrongly.
"""

import re
import sys
import zipfile

import openpyxl

from tables import COLUMNS, check_records, need, run

NUMBERS = {"file_bytes", "call_duration_ms", "sequence", "copies", "redactions"}
CELL_MAX, ROWS_MAX = 32_767, 1_048_576


def said(text):
    """Controls and what looks like their escapes: ECMA-376, part 1, 22.9.2.19 (ST_Xstring)."""
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), text)


def check(path):
    with zipfile.ZipFile(path) as parts:
        need(parts.testzip() is None, "a damaged part")
        for part in parts.infolist():
            need(part.date_time[0] == 1980, f"{part.filename} has a time: {part.date_time}")
            need("externalLink" not in part.filename and "vba" not in part.filename.lower(), part.filename)
    book = openpyxl.load_workbook(path, read_only=True, data_only=False)
    need(book.sheetnames == ["records"], f"sheets {book.sheetnames}")
    sheet, rows, formulas = book["records"], [], 0
    for n, cells in enumerate(sheet.iter_rows(), 1):
        need(n <= ROWS_MAX, "more rows than Excel has")
        row = {}
        for name, cell in zip(COLUMNS, cells):
            where = f"{name} of row {n}"
            if cell.value is None:
                row[name] = ""
            elif n > 1 and name in NUMBERS:
                need(cell.data_type in "ns", f"{where} is of type {cell.data_type}")
                row[name] = str(cell.value)
            else:
                need(cell.data_type in ("s", "inlineStr"), f"{where} is of type {cell.data_type}, no text")
                row[name] = said(cell.value)
                formulas += row[name][:1] in ("=", "+", "-", "@")
            need(len(row[name].encode("utf-16-le")) // 2 <= CELL_MAX, f"{where} is longer than Excel allows")
        row |= {name: "" for name in COLUMNS if name not in row}
        need(n > 1 or list(row.values()) == COLUMNS, f"other columns than documented: {list(row.values())}")
        rows += [row] if n > 1 else []
    return check_records(rows) | {"like_formulas": formulas}


sys.exit(run(check, sys.argv[1:], __doc__))
