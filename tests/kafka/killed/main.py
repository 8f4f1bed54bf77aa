"""Runs the scenarios, one line each. Called by killed.sh, which documents all of it."""

import argparse
import os
import sys
import time
import traceback

from brokers import killed_leader, paused_broker
from full_disk import full_disk
from recreated import recreated_topic
from retention import deleted_segments
from transactions import transactions
from workers import killed_worker, two_workers
from world import Failed, Skipped, World

SCENARIOS = [
    ("killed-worker", killed_worker),
    ("two-workers", two_workers),
    ("killed-leader", killed_leader),
    ("paused-broker", paused_broker),
    ("deleted-segments", deleted_segments),
    ("recreated-topic", recreated_topic),
    ("transactions", transactions),
    ("full-disk", full_disk),
]


def run(world, name, scenario):
    """Whether it passed; its line is printed."""
    start = time.monotonic()

    def say(word, text):
        print(f"{name}: {word} in {time.monotonic() - start:.0f} s: {text}", flush=True)
    try:
        say("passed", scenario(world))
        return True
    except Skipped as why:
        say("SKIPPED", why)
        return True
    except Failed as why:
        say("FAILED", why)
    # A flaw of the test or of the cluster: the other scenarios are still worth running.
    except Exception:
        say("FAILED", traceback.format_exc())
    world.mend()
    return False


def main():
    parser = argparse.ArgumentParser()
    for name in ("work", "custody", "cluster_script", "cluster", "brokers"):
        parser.add_argument(name)
    world = World(**vars(parser.parse_args()))
    wanted = os.environ.get("CUSTODY_KILLED_ONLY", "").split() or [name for name, _ in SCENARIOS]
    unknown = set(wanted) - {name for name, _ in SCENARIOS}
    if unknown:
        sys.exit(f"no scenario is called {sorted(unknown)}; there are {[name for name, _ in SCENARIOS]}")
    print(f"seed {world.seed}: CUSTODY_KILLED_SEED={world.seed} runs the same moments again", flush=True)
    passed = [run(world, name, scenario) for name, scenario in SCENARIOS if name in wanted]
    sys.exit(0 if all(passed) else 1)


main()
