"""Publishes messages of the contract, as fast as it can: publish.py BROKERS TOPIC COUNT BYTES PARTITIONS.

Run by memory.sh, in the environment that killed/setup.sh makes.
"""

import sys

from confluent_kafka import Producer


def text(number, partitions, size):
    head = (
        f'{{"specversion":"1.0","id":"{number}","source":"//gw/{number % partitions}",'
        f'"type":"federation.im.message.sent.v1","time":"2013-05-29T09:15:02.{number % 1000:03}Z",'
        f'"tenant":"contoso.example","sequence":"{number // partitions}",'
        f'"data":{{"conversation":{{"id":"c-{number % 5000}","kind":"direct"}},'
        f'"from":{{"network":"lync","address":"sip:u{number % 700}@contoso.example"}},'
        f'"message":{{"id":"m{number}","content_type":"text/plain","text":"{number}'
    )
    words = max(size - len(head) - 5, 0) // 6
    return head + " w%04d" * words % tuple((number * 31 + word * 7) % 9973 for word in range(words)) + '"}}}'


def main():
    brokers, topic, count, size, partitions = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    failed = []
    producer = Producer({
        "bootstrap.servers": brokers,
        "linger.ms": 20,
        "compression.type": "lz4",
        "message.max.bytes": 20_000_000,
        "queue.buffering.max.kbytes": 200_000,
    })

    def told(error, _message):
        if error:
            failed.append(error)

    for number in range(count):
        value = text(number, partitions, size).encode()
        while True:
            try:
                producer.produce(topic, value, partition=number % partitions, on_delivery=told)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    producer.flush()
    if failed:
        sys.exit(f"{len(failed)} of {count} messages were not published: {failed[0]}")


main()
