"""Workers that are killed, or sleep so long that they are taken for dead."""

import time

from check import check_queries, verify
from stage import Stage, spread
from worker import SESSION_MS, seconds_since
from world import wait

# The archive grows, and so does the time that it takes.
VERIFIED_EACH = 5


def killed_worker(world):
    """kill -9 at random moments under load, each time started again."""
    with Stage(world, "worker") as stage:
        worker, went_on, early = stage.worker(), [], 0
        with stage.load():
            for kill in range(world.kills):
                since = stage.at()
                worker.start()
                moment = stage.random.random()
                if moment < 0.25:
                    # While it starts, joins the group, asks for offsets.
                    early += 1
                elif moment < 0.6:
                    # While it reads what has gathered, commit after commit.
                    worker.wait_reading()
                else:
                    went_on.append(stage.wait_progress([worker], since))
                time.sleep(stage.random.uniform(0, world.kill_seconds))
                worker.kill()
                # As the kill left it: nobody has mended anything yet.
                if kill % VERIFIED_EACH == VERIFIED_EACH - 1 and stage.log.look().version:
                    verify(world, stage.archive, whole=False)
            worker.start()
            went_on.append(stage.wait_progress([worker]))
        stage.wait_archived([worker])
        worker.stop()
        report, records = stage.proven()
        queries = check_queries(world, stage.archive)
        return (f"{world.kills} kills, {early} of them while it started, verified after every fifth; "
                f"went on after {spread(went_on)}; {len(report['unreferenced'])} files cut short; {records}; "
                f"{queries}")


def two_workers(world):
    """Two in one group, killed in turn; then one that wakes after its partitions were given away."""
    with Stage(world, "two", partitions=6) as stage:
        first, second = stage.worker("first").start(), stage.worker("second").start()
        kills, took_over = max(2, world.kills // 5), []
        with stage.load():
            stage.wait_progress([first, second])
            for _ in range(kills):
                first.wait_reading()
                time.sleep(stage.random.uniform(0, world.kill_seconds))
                first.kill()
                took_over.append(stage.wait_progress([second]))
                first.start()
                first, second = second, first
            second.wait_reading()
            stage.wait_progress([first, second])
            first.pause()
            took_over.append(stage.wait_progress([second]))
            time.sleep(SESSION_MS / 1000)
            commits, start = len(first.said("archived")), time.monotonic()
            first.resume()
            wait("the worker that woke archives again", lambda: len(first.said("archived")) > commits)
            woken = seconds_since(start)
            stage.wait_progress([first, second])
        stage.wait_archived([first, second])
        first.stop()
        second.stop()
        fenced = sum(len(worker.said("fenced", since_start=False)) for worker in (first, second))
        _, records = stage.proven()
        queries = check_queries(world, stage.archive)
        return (f"{kills} kills, 1 zombie; the other took over after {spread(took_over)}; "
                f"which archives again {woken:.1f} s after it woke; fenced {fenced} times; {records}; {queries}")
