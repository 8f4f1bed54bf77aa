"""A disk that is full under load, and then has room again."""

import os
import subprocess
import time

from check import verify
from stage import Stage, spread
from worker import seconds_since
from world import Failed, Skipped, wait

SMALL, ROOM = "3m", "512m"


def mounted(world, size):
    """A tmpfs of that size."""
    path = world.path("small")
    os.makedirs(path, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], capture_output=True, text=True)
    if done.returncode:
        raise Skipped(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    return path


def resize(path, size):
    subprocess.run(["mount", "-o", f"remount,size={size}", path], check=True)


def full_disk(world):
    """First it gets room while the worker still tries, then only after it gave up."""
    disk = mounted(world, SMALL)
    try:
        with Stage(world, "full", archive=os.path.join(disk, "archive")) as stage:
            worker, went_on = stage.worker(flags=["--retry-age-max", "60s"]).start(), []
            with stage.load():
                worker.wait_said("No space left")
                resize(disk, "6m")
                went_on.append(stage.wait_progress([worker]))
                worker.kill()
                worker = stage.worker("impatient", flags=["--retry-age-max", "1s"]).start()
                code = worker.wait_ended()
                if not code:
                    raise Failed("the worker ended with code 0 on a full disk")
                if not worker.said("No space left"):
                    raise Failed(f"it does not say why it ended: {worker.last()}")
                verify(world, stage.archive, whole=False)
                resize(disk, ROOM)
                worker.start()
                went_on.append(stage.wait_progress([worker]))
            stage.wait_archived([worker])
            worker.stop()
            report, records = stage.proven()
            return (f"full twice, ended with code {code} when out of patience; went on after {spread(went_on)}; "
                    f"{len(report['unreferenced'])} files cut short; {records}")
    finally:
        subprocess.run(["umount", "-l", disk], check=False)
