"""What every scenario ends with: the archive against the oracle, to the record."""

import json
import os
import shutil
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from events import QUARANTINED
from oracle import digest
from worker import clean_environment, must_run
from world import Failed, wait

NAMED_MAX = 5
QUERIES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "queries.txt")
# The type of the row that tells of a gap.
GAP = "custody.gap"


def custody(world, *args):
    done = subprocess.run([world.custody, *args], capture_output=True, text=True, cwd=world.work,
                          env=clean_environment(), stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def verify(world, archive, whole=True):
    """`custody verify` passes; a whole index knows every version, one that no worker follows may be behind."""
    code, out, err = custody(world, "verify", "--archive", archive, "--json")
    try:
        report = json.loads(out)
    except ValueError:
        raise Failed(f"verify ended with code {code}: {out} {err}") from None
    problems, index = report["archive"]["problems"], report["index"]
    if code or problems or report["index_failed"]:
        raise Failed(f"verify ended with code {code}: {problems[:NAMED_MAX]} {report['index_failed']} {err}")
    behind = index and index["through_version"] != report["archive"]["version"]
    if index and index["differences"] or behind and whole:
        raise Failed(f"the index is not the archive's: {index}")
    return report["archive"]


def check_queries(world, archive):
    """Queries of every kind find by the index what reading the archive finds, and each finds something."""
    code, out, err = custody(world, "verify", "--archive", archive, "--queries", QUERIES, "--json")
    try:
        answers = json.loads(out)
    except ValueError:
        raise Failed(f"verify --queries ended with code {code}: {out} {err}") from None
    wrong = [one for one in answers if one["different"]]
    if code or wrong:
        raise Failed(f"verify --queries ended with code {code}: {wrong[:NAMED_MAX]} {err}")
    if empty := [one["query"] for one in answers if not one["total"]]:
        raise Failed(f"queries that find nothing prove little: {empty}")
    return f"{len(answers)} queries answered exactly"


def wait_archived(log, oracle, workers, ends):
    """Until every partition is archived to its end."""
    def archived():
        must_run(workers)
        return log.look().at(oracle.generation, len(ends)) == ends
    try:
        wait("", archived)
    except Failed as failed:
        if workers and all(worker.alive() for worker in workers):
            at = log.at(oracle.generation, len(ends))
            raise Failed(f"archived to {at} of {ends}; {workers[0].last()}") from None
        raise failed


def check_fates(log, ends_by_generation, report):
    """Each offset of the log is archived, skipped or lost, and verify counts the same."""
    for generation, ends in ends_by_generation.items():
        for partition, end in enumerate(ends):
            where = generation, partition
            fates = log.records[where], log.skipped[where], log.lost[where]
            if sum(fates) != end:
                raise Failed(f"{where}: archived, skipped, lost are {fates}, but the log ends at {end}")
    for name, mine in (("records", log.records), ("skipped", log.skipped), ("lost", log.lost)):
        if report[name] != sum(mine.values()):
            raise Failed(f"verify counts {report[name]} {name}, the commits {sum(mine.values())}")
    if report["gaps"] != len(log.gaps):
        raise Failed(f"verify counts {report['gaps']} gaps, the commits {len(log.gaps)}")


def expected(log, oracle):
    """The acknowledged records that are in no recorded gap."""
    gone = [(gap[:2], range(gap[2], gap[3])) for gap in log.gaps]
    return {at: sent for at, sent in oracle.acknowledged.items()
            if not any(at[:2] == where and at[2] in span for where, span in gone)}


def count(world, archive, kind):
    query = "is:quarantined" if kind == QUARANTINED else f"type:{kind}"
    code, out, err = custody(world, "search", query, "--archive", archive, "--count")
    if code:
        raise Failed(f"search {query} ended with code {code}: {err}")
    return int(out)


def check_counts(world, archive, must, may):
    """Counts by type as people ask for them. `may` are those of unknown fate."""
    must, may = Counter(sent.kind for sent in must.values()), Counter(sent.kind for sent in may.values())
    kinds = sorted(must.keys() | may.keys())
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(kinds, pool.map(lambda kind: count(world, archive, kind), kinds)))
    wrong = {kind: (found[kind], must[kind]) for kind in kinds
             if not must[kind] <= found[kind] <= must[kind] + may[kind]}
    if wrong:
        raise Failed(f"counts by type, found and acknowledged: {wrong}")
    return len(kinds)


def check_records(world, archive, log, must, oracle):
    """Every record where its acknowledgement said, with its bytes; every gap at its first offset; no other."""
    out = archive.rstrip("/") + ".production"
    shutil.rmtree(out, ignore_errors=True)
    code, _, err = custody(world, "export", "type:*", "--archive", archive, "--out", out,
                           "--who", "the tests", "--why", "to compare it with what was acknowledged")
    if code:
        raise Failed(f"export ended with code {code}: {err}")
    missing, others, gaps = dict(must), [], {gap[:3] for gap in log.gaps}
    with open(f"{out}/records.jsonl", encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            _, generation, partition, offset = line["position"].rsplit(":", 3)
            payload = (line["payload"] or "").encode()
            # What cannot be decoded has its id in its text alone.
            identifier = line["id"] or payload.decode().rpartition(" ")[2]
            at = int(generation), int(partition), int(offset)
            if line["type"] == GAP and line["gap"] and at in gaps:
                gaps.remove(at)
                continue
            sent = missing.pop(at, None) or oracle.unknown.get(identifier)
            if sent is None or (sent.kind, sent.id, sent.digest) != (line["type"], identifier, digest(payload)):
                others.append(line["position"])
    if missing or others:
        named = [f"{sent.id} at {at}" for at, sent in list(missing.items())[:NAMED_MAX]]
        raise Failed(f"{len(missing)} acknowledged records are not archived ({named}), "
                     f"{len(others)} archived ones are others ({others[:NAMED_MAX]})")
    if gaps:
        raise Failed(f"gaps that no row tells of: {gaps}")
    shutil.rmtree(out)


def proven(world, archive, log, oracle, ends_by_generation):
    """All of it; workers have ended. Returns verify's report and a line for people."""
    report = verify(world, archive)
    check_fates(log.look(), ends_by_generation, report)
    must = expected(log, oracle)
    kinds = check_counts(world, archive, must, oracle.unknown)
    check_records(world, archive, log, must, oracle)
    unsure = f", {len(oracle.unknown)} unsure" if oracle.unknown else ""
    return report, f"{len(must)} records of {kinds} types in {report['batches']} batches as acknowledged{unsure}"
