"""A topic that is deleted and made again: refused until somebody accepts it."""

from check import custody, verify
from events import Events
from stage import Stage
from world import Failed, wait


def make_again(stage):
    """The topic goes, and comes back with another id: the old generation's log is over."""
    world = stage.world
    world.cluster("delete-topic", stage.topic)
    wait(f"{stage.topic} is gone", lambda: world.metadata(stage.topic) is None)

    def made():
        try:
            world.topic(stage.topic, stage.partitions)
            return True
        except Failed:
            # Its name is free only after every broker has forgotten it.
            return False
    wait(f"{stage.topic} can be made again", made, pause=0.5)
    world.wait_in_sync(stage.topic)
    stage.oracle.generation += 1


def wait_refused(stage, worker):
    """It says so loudly and goes on with its other topics, if it has any; nothing of this one is archived."""
    def refused():
        worker.must_run()
        return [line for line in worker.said("NOT ARCHIVED", level="ERROR") if "made again" in line["fields"]["message"]]
    wait(f"{worker.name} says that the topic was made again", refused)
    if stage.at() != [0] * stage.partitions:
        raise Failed(f"something of the new topic was archived before it was accepted: {stage.at()}")


def accept(stage):
    code, out, err = custody(
        stage.world, "gap", "accept", "--topic", stage.topic, "--who", "the tests", "--why", "to see that it goes on",
        "--archive", stage.archive, "--brokers", stage.world.brokers)
    if code:
        raise Failed(f"gap accept ended with code {code}: {out} {err}")


def publish(stage, records):
    events = Events(f"{stage.name}.{stage.oracle.generation}", stage.world.seed)
    stage.load(events=events).publish_many(records)


def made_again(world, name, before, after, running):
    """One topic made again, with so many records before and after."""
    with Stage(world, name, partitions=2) as stage:
        worker = stage.worker().start()
        publish(stage, before)
        stage.wait_archived([worker])
        stood_at = stage.at()
        if not running:
            worker.stop()
        make_again(stage)
        publish(stage, after)
        if running:
            wait_refused(stage, worker)
            worker.kill()
        # It stays refused, however often a worker is started.
        for _ in range(2):
            worker.start()
            wait_refused(stage, worker)
            worker.kill()
        if stage.log.look().at(1, stage.partitions) != stood_at:
            raise Failed(f"the old topic's offsets moved on from {stood_at}: {dict(stage.log.next)}")
        verify(world, stage.archive, whole=False)
        worker.start()
        wait_refused(stage, worker)
        accept(stage)
        seconds = stage.wait_archived([worker])
        worker.stop()
        _, records = stage.proven()
        return f"archived {seconds:.1f} s after it was accepted ({records})"


def recreated_topic(world):
    """Made again while no worker runs and while one runs. A log that has grown past the old end is
    told by the topic's id alone."""
    return "; ".join((
        "shorter, worker stopped: " + made_again(world, "again.stopped", 600, 100, running=False),
        "longer, worker stopped: " + made_again(world, "again.longer", 100, 600, running=False),
        "shorter, worker running: " + made_again(world, "again.running", 600, 100, running=True),
        "longer, worker running: " + made_again(world, "again.longer.running", 100, 600, running=True),
    ))
