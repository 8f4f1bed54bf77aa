"""Transactions: what was aborted is not archived, markers are skipped offsets."""

from stage import Stage
from world import Failed

TRANSACTIONS = 40
EVENTS_MAX = 30


def transactions(world):
    with Stage(world, "transactions", partitions=3) as stage:
        worker, oracle = stage.worker().start(), stage.oracle
        load = stage.load(transactional_id=stage.name, message_timeout_ms=60_000)
        load.producer.init_transactions()
        aborted = 0
        for number in range(TRANSACTIONS):
            load.producer.begin_transaction()
            pending = []
            for _ in range(stage.random.randint(1, EVENTS_MAX)):
                load.publish(stage.events.next(), lambda *told: pending.append(told))
            # Everything is in the log before the end is known.
            load.flush()
            if any(error for _, error, _ in pending):
                raise Failed(f"the brokers refused {[str(error) for _, error, _ in pending if error][:3]}")
            if number == TRANSACTIONS // 2:
                # Killed while a transaction is open.
                worker.kill()
                worker.start()
            if stage.random.random() < 0.4:
                load.producer.abort_transaction()
                aborted += 1
                oracle.aborted |= {sent.id: sent for sent, _, _ in pending}
            else:
                load.producer.commit_transaction()
                for told in pending:
                    oracle.delivered(*told)
        # A marker is known to be skipped when a record follows it.
        plain = stage.load()
        for partition in range(stage.partitions):
            plain.publish_many(1, partition=partition)
        stage.wait_archived([worker])
        worker.stop()
        report, records = stage.proven()
        if report["skipped"] <= len(oracle.aborted):
            raise Failed(f"{report['skipped']} offsets skipped, but {len(oracle.aborted)} records were aborted")
        return (f"{TRANSACTIONS} transactions, {aborted} aborted with {len(oracle.aborted)} records; "
                f"{report['skipped']} offsets skipped; {records}")
