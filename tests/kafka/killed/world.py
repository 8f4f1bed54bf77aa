"""Where the scenarios run: a cluster, a folder, the binary, the seed."""

import os
import random
import subprocess
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

# How long anything that must happen by itself may take on a loaded machine.
# A scenario prints how long it took.
PATIENCE_SECONDS = 90


class Failed(Exception):
    """Something is not as it must be."""


class Skipped(Exception):
    """The scenario cannot be run here."""


def setting(name, default, kind=int):
    return kind(os.environ.get(name, default))


class World:
    def __init__(self, work, custody, cluster_script, cluster, brokers):
        self.work, self.custody, self.brokers = work, custody, brokers
        self.cluster_script, self.cluster_dir = cluster_script, cluster
        self.seed = setting("CUSTODY_KILLED_SEED", random.SystemRandom().randrange(1 << 31))
        self.kills = setting("CUSTODY_KILLS", 30)
        self.kill_seconds = setting("CUSTODY_KILL_SECONDS", 1.5, float)
        self.pause_seconds = setting("CUSTODY_PAUSE_SECONDS", 15, float)
        self.per_second = setting("CUSTODY_KILLED_LOAD", 1500)
        self.asked = Consumer({"bootstrap.servers": brokers, "group.id": "asks-only", "log_level": 2,
                               "isolation.level": "read_uncommitted"})

    def random(self, scenario):
        return random.Random(f"{self.seed} {scenario}")

    def path(self, *names):
        return os.path.join(self.work, *names)

    # --- the cluster ---------------------------------------------------------

    def cluster(self, command, *args):
        done = subprocess.run([self.cluster_script, command, self.cluster_dir, *map(str, args)],
                              capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"cluster.sh {command} {args}: {done.stderr.strip()}")
        return done.stdout.strip()

    def topic(self, name, partitions, **config):
        self.cluster("topic", name, partitions, *(f"{key.replace('_', '.')}={value}" for key, value in config.items()))

    def metadata(self, topic):
        """The topic's partitions as the brokers see them now, or None."""
        try:
            found = self.asked.list_topics(topic, timeout=10).topics[topic]
        except KafkaException:
            return None
        return found.partitions if not found.error and found.partitions else None

    def leader(self, topic, partition):
        def led():
            partitions = self.metadata(topic)
            return partitions and partitions[partition].leader
        return wait(f"a leader of {topic} {partition}", lambda: (led() or -1) > 0 and led())

    def wait_in_sync(self, topic):
        def in_sync():
            partitions = self.metadata(topic)
            return partitions and all(len(partition.isrs) == 3 for partition in partitions.values())
        return wait(f"three replicas of {topic} in sync", in_sync)

    def offsets(self, topic, partitions):
        """The first offset of each partition, and the one after its last."""
        def asked():
            try:
                return [self.asked.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
                        for partition in range(partitions)]
            except KafkaException:
                return None
        return wait(f"offsets of {topic}", asked)

    def mend(self):
        """Whatever a scenario left behind: all brokers run."""
        for node in (1, 2, 3):
            try:
                self.cluster("resume", node)
            except Failed:
                self.cluster("restart", node)


def wait(what, ready, seconds=PATIENCE_SECONDS, pause=0.05):
    """Asks until the answer is yes, and returns it."""
    until = time.monotonic() + seconds
    while True:
        answer = ready()
        if answer:
            return answer
        if time.monotonic() > until:
            raise Failed(f"{what}: not after {seconds} s")
        time.sleep(pause)
