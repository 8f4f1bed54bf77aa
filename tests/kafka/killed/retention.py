"""Retention that deletes segments before they were read: loud, recorded, counted."""

import time

from events import Events
from stage import Stage
from world import Failed, wait

MIB = 1 << 20
STEADY_SECONDS = 3


def outrun(stage, load, next_offsets):
    """Publishes until the log begins past the archive and has come to rest; where it begins."""
    world, seen = stage.world, [None, 0.0]

    def lows():
        return [low for low, _ in world.offsets(stage.topic, stage.partitions)]

    def passed():
        now = lows()
        if not all(low > next_offset for low, next_offset in zip(now, next_offsets)):
            load.publish_many(500)
            return None
        if now != seen[0]:
            seen[:] = now, time.monotonic()
        return now if time.monotonic() - seen[1] > STEADY_SECONDS else None
    return wait("retention deletes what was not read", passed, pause=0.2)


def must_be_loud(worker, lost):
    loud = worker.said("offsets are gone from Kafka: recording a gap", level="ERROR")
    if not loud:
        raise Failed(f"the gap is not in the log: {worker.last()}")
    counted = worker.metrics()["custody_ingest_gap_offsets_total"]
    if counted != lost:
        raise Failed(f"custody_ingest_gap_offsets_total is {counted}, but {lost} offsets were lost")


def deleted_segments(world):
    """Once while no worker runs, once while it sleeps with its session alive."""
    config = {"segment_bytes": MIB, "retention_bytes": MIB}
    with Stage(world, "retention", partitions=2, **config) as stage:
        worker = stage.worker(session_ms=45_000).start()
        # Long texts: a segment is at least a MiB.
        load = stage.load(events=Events("retention", world.seed, words=150))
        load.publish_many(400)
        stage.wait_archived([worker])
        worker.stop()

        stopped_at = stage.at()
        lows = outrun(stage, load, stopped_at)
        worker.start()
        stage.wait_archived([worker])
        lost = sum(low - at for low, at in zip(lows, stopped_at))
        expected = {(1, partition, at, low, "deleted_by_retention")
                    for partition, (at, low) in enumerate(zip(stopped_at, lows))}
        if set(stage.log.gaps) != expected:
            raise Failed(f"gaps {stage.log.gaps} instead of {expected}")
        must_be_loud(worker, lost)

        worker.pause()
        outrun(stage, load, stage.log_ends())
        worker.resume()
        stage.wait_archived([worker])
        asleep = sum(gap[3] - gap[2] for gap in stage.log.gaps) - lost
        if not asleep:
            raise Failed("nothing was lost while the worker slept: the test does not test")
        must_be_loud(worker, lost + asleep)
        worker.stop()
        report, records = stage.proven()
        return (f"{lost} offsets lost while stopped, {asleep} while asleep, {report['lost']} recorded "
                f"in {len(stage.log.gaps)} gaps; {records}")
