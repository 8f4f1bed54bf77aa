"""Whether a production holds exactly the context that was asked for, beside its hits.

    context.py PRODUCTION CONTEXT

PRODUCTION is in JSON Lines and in UTC. Says of each conversation with a hit whether what is marked as
context is near one, and nothing else is; not which of its records are missing, which a count of the
archive tells.
"""

import json
import sys
from collections import defaultdict
from datetime import datetime


def main():
    folder, context = sys.argv[1:]
    with open(f"{folder}/receipt.json", encoding="utf-8") as file:
        receipt = json.load(file)
    is_context = {entry["position"]: entry.get("context", False) for entry in receipt["records"]}
    conversations = defaultdict(list)
    with open(f"{folder}/records.jsonl", encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            when = record["time"] or record["broker_time"]
            when = datetime.fromisoformat(when.replace("Z", "+00:00")) if when else None
            conversations[record["conversation"]].append((when, record["position"]))
    hits = sum(1 for marked in is_context.values() if not marked)
    beside = len(is_context) - hits
    if not hits or not beside:
        sys.exit(f"{hits} hits and {beside} records of context: nothing to look at")
    for conversation, records in conversations.items():
        times = [when for when, position in records if not is_context[position]]
        if conversation is None and len(times) != len(records):
            sys.exit("context without a conversation")
        if not times:
            sys.exit(f"conversation {conversation} has no hit")
        for when, position in records:
            if is_context[position] and not near(when, times, context):
                sys.exit(f"{position} is no context")
        if context.isdigit() and len(records) - len(times) > 2 * int(context) * len(times):
            sys.exit(f"conversation {conversation} has too much context")
    print(f"{hits} hits, {beside} records of context")


def near(when, times, context):
    if context == "conversation" or context.isdigit():
        return True
    if context == "day":
        return any(when.date() == hit.date() for hit in times)
    return any(abs((when - hit).total_seconds()) <= int(context[:-1]) * 3600 for hit in times)


main()
