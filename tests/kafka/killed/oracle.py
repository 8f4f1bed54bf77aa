"""The other opinion: what the brokers acknowledged, by position."""

import functools
import hashlib
import threading
import time
from collections import Counter
from dataclasses import dataclass

from confluent_kafka import KafkaException, Producer

# Longer than any trouble that a scenario makes.
DELIVERY_SECONDS = 180


@dataclass(frozen=True)
class Sent:
    kind: str
    id: str
    digest: bytes


def digest(payload):
    return hashlib.sha256(payload).digest()


class Oracle:
    """What must be archived of one topic, what may be, and what must not.

    `generation` is the topic's: a scenario that makes the topic again counts it up."""

    def __init__(self, topic):
        self.topic, self.generation = topic, 1
        self.acknowledged = {}  # (generation, partition, offset): Sent
        self.unknown = {}  # id: Sent; neither acknowledged nor surely refused
        self.aborted = {}  # id: Sent; published in transactions that were aborted

    def delivered(self, sent, error, message):
        if error is None:
            self.acknowledged[self.generation, message.partition(), message.offset()] = sent
        else:
            self.unknown[sent.id] = sent

    def counts(self):
        return Counter(sent.kind for sent in self.acknowledged.values())


class Load:
    """Publishes events from a thread until it is stopped: acks=all, idempotent."""

    def __init__(self, brokers, oracle, events, per_second, **properties):
        self.oracle, self.events, self.per_second = oracle, events, per_second
        self.brokers, self.properties = brokers, properties
        self.producer = self.connect()
        self.stopping, self.error = threading.Event(), None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def connect(self):
        return Producer({
            "bootstrap.servers": self.brokers, "acks": "all", "enable.idempotence": True, "linger.ms": 5,
            "message.timeout.ms": DELIVERY_SECONDS * 1000, "socket.timeout.ms": 10000,
            "topic.metadata.refresh.interval.ms": 2000, "log_level": 2,
        } | {name.replace("_", "."): value for name, value in self.properties.items()})

    def publish(self, event, delivered=None, **where):
        sent = Sent(event.kind, event.id, digest(event.payload))
        told = functools.partial(delivered or self.oracle.delivered, sent)
        while True:
            try:
                return self.producer.produce(self.oracle.topic, event.payload, event.key, headers=event.headers,
                                             on_delivery=told, **where)
            except BufferError:
                self.producer.poll(0.1)

    def flush(self):
        left = self.producer.flush(DELIVERY_SECONDS + 30)
        if left:
            raise RuntimeError(f"{left} events were neither acknowledged nor refused")

    def publish_many(self, count, **where):
        """So many, now, and waits for their acknowledgement."""
        for _ in range(count):
            self.publish(self.events.next(), **where)
            self.producer.poll(0)
        self.flush()

    def run(self):
        try:
            start, done = time.monotonic(), 0
            while not self.stopping.is_set():
                due = (time.monotonic() - start) * self.per_second
                while done < due and not self.stopping.is_set():
                    self.publish(self.events.next())
                    done += 1
                self.producer.poll(0.01)
        except (KafkaException, RuntimeError) as error:
            self.error = error

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        """Waits until the fate of everything is known, as far as it will be."""
        self.stopping.set()
        if self.thread.ident is not None:
            self.thread.join()
        self.flush()
        if self.error:
            raise RuntimeError(f"the producer failed: {self.error}")

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        # What went wrong inside says more than what the producer says of it.
        if kind is None:
            self.stop()
        else:
            self.stopping.set()
