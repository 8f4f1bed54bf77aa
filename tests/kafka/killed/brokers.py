"""Brokers that are killed, restarted and paused under load; the worker goes on by itself."""

import time

from stage import Stage, spread
from worker import must_run, seconds_since

# What a broker had handed out before it was killed or paused is archived by then.
HANDED_OUT_SECONDS = 2


def leader_beside(world, stage):
    """A node that leads a partition and is not the group's own broker, which answers on."""
    coordinator = world.leader("__consumer_offsets", 0)
    leaders = [world.leader(stage.topic, partition) for partition in range(stage.partitions)]
    return next(node for node in leaders if node != coordinator)


def killed_leader(world):
    """kill -9 of a leader, and of a leader and the worker at once; all brokers restarted in turn."""
    with Stage(world, "leader") as stage:
        worker, went_on, rolled = stage.worker().start(), [], []
        with stage.load():
            stage.wait_progress([worker])
            for kill_worker in (False, True):
                node = leader_beside(world, stage)
                world.cluster("kill", node)
                if kill_worker:
                    worker.kill()
                    worker.start()
                time.sleep(HANDED_OUT_SECONDS)
                went_on.append(HANDED_OUT_SECONDS + stage.wait_progress([worker]))
                world.cluster("restart", node)
                world.wait_in_sync(stage.topic)
            for node in stage.random.sample((1, 2, 3), 3):
                since, start = stage.at(), time.monotonic()
                world.cluster("restart", node)
                world.wait_in_sync(stage.topic)
                stage.wait_progress([worker], since)
                rolled.append(seconds_since(start))
            stage.wait_progress([worker])
        stage.wait_archived([worker])
        worker.stop()
        _, records = stage.proven()
        return (f"2 leaders killed, went on after {spread(went_on)}; 3 brokers restarted in turn, "
                f"each whole after {spread(rolled)}; {records}")


def paused_broker(world):
    """SIGSTOP of a leader for longer than its session: its connections stay open and say nothing.
    A second worker joins before another broker leads: both must find out where to go on."""
    with Stage(world, "paused") as stage:
        workers = [stage.worker(session_ms=6000).start()]
        with stage.load():
            stage.wait_progress(workers)
            node, paused = leader_beside(world, stage), time.monotonic()
            world.cluster("pause", node)
            workers.append(stage.worker("second", session_ms=6000).start())
            time.sleep(HANDED_OUT_SECONDS)
            since, went_on = stage.at(), None
            while seconds_since(paused) < world.pause_seconds:
                must_run(workers)
                if went_on is None and all(now > then for now, then in zip(stage.at(), since)):
                    went_on = seconds_since(paused)
                time.sleep(0.1)
            waited = sum(now == then for now, then in zip(stage.at(), since))
            world.cluster("resume", node)
            late = stage.wait_progress(workers, since)
            world.wait_in_sync(stage.topic)
            stage.wait_progress(workers)
        stage.wait_archived(workers)
        for worker in workers:
            worker.stop()
        _, records = stage.proven()
        fate = (f"{waited} of {stage.partitions} partitions waited for it and went on {late:.1f} s after it was resumed"
                if went_on is None else f"all partitions went on {went_on:.1f} s after it was paused")
        return f"paused for {world.pause_seconds:g} s; {fate}; {records}"
