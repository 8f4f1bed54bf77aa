#!/usr/bin/env python3
"""Checks `records.csv` files of productions with a reader that is not Custody's.

    records_csv.py FILE...

Exit codes: 0 all is well (counts are printed as JSON), 1 a fault, 2 called wrongly.
"""

import sys

from tables import COLUMNS, check_records, need, rows_of, run, said


def check(path):
    header, rows = rows_of(path)
    need(header == COLUMNS, f"other columns than documented: {header}")
    marked = 0
    for row in rows:
        for cell in row.values():
            marked += said(cell) != cell
    return check_records(rows, said) | {"formulas": marked}


sys.exit(run(check, sys.argv[1:], __doc__))
