"""The archive's log, read without Custody: which offsets have which fate."""

import json
import os
from collections import defaultdict

from world import Failed


class Log:
    """Reads each commit once; spans must chain and add up, at every look."""

    def __init__(self, path):
        self.path, self.version = os.path.join(path, "_delta_log"), 0
        self.next = defaultdict(int)  # (generation, partition): next offset
        self.records, self.skipped, self.lost = defaultdict(int), defaultdict(int), defaultdict(int)
        self.gaps = []  # (generation, partition, from, to, reason)

    def look(self):
        """Reads what is new and returns itself."""
        while True:
            path = os.path.join(self.path, f"{self.version:020}.json")
            try:
                with open(path, encoding="utf-8") as commit:
                    actions = [json.loads(line) for line in commit if line.strip()]
            except FileNotFoundError:
                return self
            for action in actions:
                text = action.get("commitInfo", {}).get("custody")
                manifest = json.loads(text).get("manifest") if text else None
                for part in manifest["parts"] if manifest else []:
                    self.add(part)
            self.version += 1

    def add(self, part):
        where = part["generation"], part["partition"]
        place = f"{part['topic']}:{where[0]}:{where[1]} version {self.version}"
        if part["from"] != self.next[where]:
            raise Failed(f"{place}: the span begins at {part['from']} instead of {self.next[where]}")
        gaps = part.get("gaps", [])
        # A gap has a row, which is no record.
        records, skipped = part["rows"] - len(gaps), part.get("skipped", 0)
        lost = sum(gap["to"] - gap["from"] for gap in gaps)
        if records + skipped + lost != part["to"] - part["from"]:
            raise Failed(f"{place}: {records} records, {skipped} skipped, {lost} lost in [{part['from']}, {part['to']})")
        self.next[where] = part["to"]
        self.records[where] += records
        self.skipped[where] += skipped
        self.lost[where] += lost
        self.gaps += [where + (gap["from"], gap["to"], gap["reason"]) for gap in gaps]

    def at(self, generation, partitions):
        """The next offset of each partition of a generation."""
        return [self.next[generation, partition] for partition in range(partitions)]
