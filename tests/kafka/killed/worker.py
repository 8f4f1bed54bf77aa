"""`custody run` as a process that can be killed."""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request

from world import PATIENCE_SECONDS, Failed, wait

SESSION_MS = 2000
STOP_SECONDS = 60
# A worker does not outlive its test, where the system can promise that.
WITH_US = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


class Worker:
    def __init__(self, world, name, topic, archive, session_ms=SESSION_MS, command="run", flags=()):
        self.world, self.name, self.log, self.process, self.from_byte = world, name, world.path(f"{name}.log"), None, 0
        self.command = WITH_US + [
            world.custody, command, "--brokers", world.brokers, "--topic", topic, "--archive", archive,
            "--group", f"custody-{topic}", "--http-listen", "127.0.0.1:0", "--log-format", "json",
            # Commits one after another, so that a kill at a random moment is often within one.
            "--batch-age-max", "50ms", "--batch-bytes-max", "1MiB",
            "--kafka-property", f"session.timeout.ms={session_ms}",
            "--kafka-property", f"heartbeat.interval.ms={session_ms // 6}", *flags,
        ]

    def start(self):
        if self.alive():
            raise Failed(f"{self.name} is running already")
        with open(self.log, "ab") as log:
            self.from_byte = log.tell()
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.world.work, env=clean_environment())
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def lines(self, since_start=True):
        """What it logged: objects with `level` and `fields.message`, and the lines that are none."""
        with open(self.log, "rb") as log:
            log.seek(self.from_byte if since_start else 0)
            for line in log.read().decode(errors="replace").splitlines():
                try:
                    yield json.loads(line)
                except ValueError:
                    yield {"level": "TEXT", "fields": {"message": line}}

    def said(self, words, level=None, since_start=True):
        return [line for line in self.lines(since_start)
                if words in json.dumps(line.get("fields", {})) and level in (None, line["level"])]

    def wait_said(self, words, seconds=PATIENCE_SECONDS):
        def said():
            self.must_run()
            return self.said(words)
        return wait(f"{self.name} says {words!r}", said, seconds)

    def wait_reading(self):
        return self.wait_said('"message": "reading"')

    def must_run(self):
        if not self.alive():
            code = self.process.poll() if self.process else None
            raise Failed(f"{self.name} ended by itself with code {code}: {self.last()}")

    def last(self):
        return " | ".join(json.dumps(line.get("fields", line), ensure_ascii=False) for line in list(self.lines())[-3:])

    def signal(self, number):
        self.must_run()
        self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def stop(self):
        """SIGTERM: seals, commits and leaves with code 0."""
        self.signal(signal.SIGTERM)
        code = self.wait_ended(STOP_SECONDS)
        if code:
            raise Failed(f"{self.name} ended with code {code} when asked to stop: {self.last()}")

    def wait_ended(self, seconds=PATIENCE_SECONDS):
        """The exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} still runs after {seconds} s: {self.last()}") from None

    def end(self):
        """Whatever happened to it: it is gone, and it did not panic."""
        if self.alive():
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        if os.path.exists(self.log) and self.said("panicked", since_start=False):
            raise Failed(f"{self.name} panicked, see {self.log}")

    def metrics(self):
        address = self.wait_said("serving /healthz")[-1]["fields"]["address"]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            lines = [line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}


def must_run(workers):
    for worker in workers:
        worker.must_run()


def clean_environment():
    """Settings of the caller's environment are not the test's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CUSTODY_")}


def seconds_since(start):
    return time.monotonic() - start
