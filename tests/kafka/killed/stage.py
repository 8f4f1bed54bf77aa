"""What each scenario sets up: a topic, an archive, an oracle, workers."""

import time

from archive import Log
from check import proven, wait_archived
from events import Events
from oracle import Load, Oracle
from worker import Worker, must_run, seconds_since
from world import wait


class Stage:
    """Used with `with`: at the end no worker is left, and none has panicked."""

    def __init__(self, world, name, partitions=4, archive=None, **config):
        self.world, self.name, self.partitions = world, name, partitions
        self.random = world.random(name)
        self.topic, self.archive = f"killed.{name}", archive or world.path(f"{name}.archive")
        world.topic(self.topic, partitions, **config)
        self.oracle, self.log = Oracle(self.topic), Log(self.archive)
        self.events = Events(name, world.seed)
        self.workers, self.loads, self.ends = [], [], {}

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for load in self.loads:
            load.stopping.set()
        for worker in self.workers:
            if kind is None:
                worker.end()
            elif worker.alive():
                worker.process.kill()
                worker.process.wait()

    def worker(self, name="worker", **options):
        self.workers.append(Worker(self.world, f"{self.name}.{name}", self.topic, self.archive, **options))
        return self.workers[-1]

    def load(self, per_second=None, events=None, **properties):
        per_second = per_second or self.world.per_second
        self.loads.append(Load(self.world.brokers, self.oracle, events or self.events, per_second, **properties))
        return self.loads[-1]

    def at(self):
        return self.log.look().at(self.oracle.generation, self.partitions)

    def wait_progress(self, workers, since=None, seconds=None):
        """Until every partition went on since then; how many seconds it took."""
        since, start = since or self.at(), time.monotonic()

        def progressed():
            must_run(workers)
            return all(now > then for now, then in zip(self.at(), since))
        wait(f"every partition goes on from {since}", progressed, *([seconds] if seconds else []))
        return seconds_since(start)

    def log_ends(self):
        """The end of each partition's log, now. A broker that just woke may not know yet that it
        leads no more, and then tells of an end that was."""
        generation = self.oracle.generation
        acknowledged = [0] * self.partitions
        for at in self.oracle.acknowledged:
            if at[0] == generation:
                acknowledged[at[1]] = max(acknowledged[at[1]], at[2] + 1)

        def ends():
            found = [end for _, end in self.world.offsets(self.topic, self.partitions)]
            return found if all(end >= least for end, least in zip(found, acknowledged)) else None
        self.ends[generation] = wait("the log ends where it was acknowledged to", ends)
        return self.ends[generation]

    def wait_archived(self, workers):
        start = time.monotonic()
        wait_archived(self.log, self.oracle, workers, self.log_ends())
        return seconds_since(start)

    def proven(self):
        return proven(self.world, self.archive, self.log, self.oracle, self.ends)


def spread(seconds):
    """Durations in one phrase."""
    ordered = sorted(seconds)
    return f"{ordered[len(ordered) // 2]:.1f} s, at most {ordered[-1]:.1f} s" if ordered else "never measured"
