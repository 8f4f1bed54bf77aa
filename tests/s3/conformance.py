#!/usr/bin/env python3
"""Proves that an S3 server keeps what Custody relies on.

    conformance.py ENDPOINT ACCESS SECRET BUCKET [DIR]

The bucket must exist; every run writes below a prefix of its own and deletes
it when all passed. With DIR, the folder of a server that server.sh started,
the server is also killed with SIGKILL while eight clients write, and started
again, five times.

Only the standard library is used and requests are signed here, so that no
client library retries or hides an answer. Prints a line for each check, last
"N passed, N failed". Exit codes: 0 all holds, 1 something differs, 2 called
wrongly.
"""

import concurrent.futures
import http.client
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time

from client import S3, Differs, equal

WRITERS = 50
ROUNDS = 20
KILLS = 5
# A part that is not the last must have this much.
PART = 5 << 20
LOST = (412, 409)
# Names whose order differs between bytes, folders and locales, or that are easily encoded wrongly.
# No name is also the folder of another: servers that keep files refuse or do not list that, and Custody
# never asks for it.
ODD_NAMES = ["a/b", "a-b", "a.b", "ab", "a/b-c/d", "a/c/d", "A/b", "k=v/x", "s p/+&%25", "ä/€", "_log/0.json", "é"]


def at_once(count, work):
    """Runs work(0..count) in as many threads, all let go at the same moment."""
    barrier = threading.Barrier(count)

    def one(number):
        barrier.wait()
        return work(number)

    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def one_winner(s3, key, bodies, answers):
    won = [number for number, answer in enumerate(answers) if answer.status == 200]
    odd = [answer.status for answer in answers if answer.status not in (200, *LOST)]
    equal(f"answers to {key} other than 200, 412 and 409", [], odd)
    equal(f"winners of {key}", 1, len(won))
    got = s3.must(200, "GET", key)
    equal(f"{key} is what its winner wrote", True, got.body == bodies[won[0]])
    # The end of an upload tells the tag in its body.
    tag = answers[won[0]].headers["etag"] or answers[won[0]].texts("ETag")[0]
    equal(f"etag of {key}", tag, got.headers["etag"])


def creates(s3, at):
    for turn in range(ROUNDS):
        key, size = f"{at}/create/{turn:020}.json", [200, 70_000][turn % 2]
        bodies = [f"{turn} {number} ".encode() * (size // 6) for number in range(WRITERS)]
        put = lambda number: s3.ask("PUT", key, None, bodies[number], if_none_match="*")
        one_winner(s3, key, bodies, at_once(WRITERS, put))
    again = s3.ask("PUT", key, None, b"x", if_none_match="*").status
    equal("create over what is there is refused", True, again in LOST)
    s3.must(200, "PUT", key, None, b"plain puts replace")
    s3.must(204, "DELETE", key)
    s3.must(200, "PUT", key, None, b"y", if_none_match="*")


def swaps(s3, at):
    key, bodies = f"{at}/swap", [f"writer {number}".encode() for number in range(WRITERS)]
    s3.must(200, "PUT", key, None, b"first")
    for _ in range(ROUNDS):
        tag = s3.must(200, "HEAD", key).headers["etag"]
        put = lambda number: s3.ask("PUT", key, None, bodies[number], if_match=tag)
        one_winner(s3, key, bodies, at_once(WRITERS, put))
        bodies = [body + b"." for body in bodies]


def ranges(s3, at):
    key, body = f"{at}/ranges", random.randbytes(300_001)
    tag = s3.must(200, "PUT", key, None, body).headers["etag"]
    for text, start, end in [
        ("0-0", 0, 1), ("0-99", 0, 100), ("1000-299999", 1000, 300_000), ("300000-", 300_000, 300_001),
        ("-8", 299_993, 300_001), ("299990-999999", 299_990, 300_001), ("-999999", 0, 300_001),
    ]:
        answer = s3.must(206, "GET", key, range=f"bytes={text}")
        equal(f"bytes {text}", True, answer.body == body[start:end])
        equal(f"range of {text}", f"bytes {start}-{end - 1}/{len(body)}", answer.headers["content-range"])
    s3.must(416, "GET", key, range="bytes=300001-")
    head = s3.must(200, "HEAD", key)
    equal("length and etag by HEAD", (str(len(body)), tag), (head.headers["content-length"], head.headers["etag"]))
    equal("HEAD tells when", True, head.headers["last-modified"] is not None)
    s3.must(304, "GET", key, if_none_match=tag)
    s3.must(412, "GET", key, if_match='"00000000000000000000000000000000"')
    for method in ("GET", "HEAD"):
        s3.must(404, method, key + "-missing")
    equal("code of a missing key", ["NoSuchKey"], s3.must(404, "GET", f"{at}/missing").texts("Code"))
    s3.must(200, "PUT", f"{at}/empty")
    equal("an empty object", b"", s3.must(200, "GET", f"{at}/empty").body)


def lists(s3, at):
    names = ODD_NAMES + [f"many/{number:05}" for number in range(1200)] + [f"deep/{n}/x" for n in range(40)]
    keys = sorted((f"{at}/list/{name}" for name in names), key=str.encode)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: s3.must(200, "PUT", key, None, key.encode()), keys))
    got, _, pages = s3.keys(f"{at}/list/")
    equal("keys in order of their bytes", keys, got)
    equal("pages of 1,000", 2, pages)
    equal("keys in pages of 7", keys, s3.keys(f"{at}/list/", 7)[0])
    equal("a prefix ends within a name", keys_below(keys, f"{at}/list/many/011"), s3.keys(f"{at}/list/many/011")[0])
    equal("a prefix that nothing has", [], s3.keys(f"{at}/list/none")[0])
    # The start need not exist.
    for start in (f"{at}/list/many/00700", f"{at}/list/a/zz", f"{at}/list/deep"):
        after = [key for key in keys if key.encode() > start.encode()]
        equal(f"keys after {start}", after, s3.keys(f"{at}/list/", **{"start-after": start})[0])
    folders = sorted({f"{at}/list/{name.split('/')[0]}/" for name in names if "/" in name}, key=str.encode)
    files = [key for key in keys if "/" not in key[len(f"{at}/list/") :]]
    equal("keys and folders by delimiter", (files, folders), s3.keys(f"{at}/list/", delimiter="/")[:2])
    equal("the same in pages of 3", (files, folders), s3.keys(f"{at}/list/", 3, delimiter="/")[:2])
    for name in ODD_NAMES:
        key = f"{at}/list/{name}"
        equal(f"content of {key}", key.encode(), s3.must(200, "GET", key).body)


def keys_below(keys, prefix):
    return [key for key in keys if key.startswith(prefix)]


def multipart(s3, at):
    key, parts = f"{at}/multipart", [random.randbytes(PART), random.randbytes(PART), b"the end"]
    _, complete = s3.upload(key, parts)
    s3.must(404, "GET", key)
    equal("keys of an open upload", [], s3.keys(key)[0])
    equal("complete", 200, complete().status)
    equal("content", True, s3.must(200, "GET", key).body == b"".join(parts))
    across = s3.must(206, "GET", key, range=f"bytes={PART - 2}-{PART + 1}").body
    equal("a range across parts", True, across == parts[0][-2:] + parts[1][:2])
    _, complete = s3.upload(key, [b"other"])
    equal("complete over what is there is refused", True, complete(if_none_match="*").status in LOST)
    equal("content after that", str(len(b"".join(parts))), s3.must(200, "HEAD", key).headers["content-length"])
    bodies = [f"upload {number}".encode() for number in range(10)]
    completes = [s3.upload(f"{key}-raced", [body])[1] for body in bodies]
    one_winner(s3, f"{key}-raced", bodies, at_once(len(bodies), lambda n: completes[n](if_none_match="*")))
    upload, complete = s3.upload(f"{key}-aborted", [b"x"])
    s3.must(204, "DELETE", f"{key}-aborted", {"uploadId": upload})
    equal("complete after an abort", 404, complete().status)
    s3.must(404, "GET", f"{key}-aborted")


def deletes(s3, at):
    # Writers and deleters beside each other: emptied folders go, new files must stay.
    def work(number):
        for turn in range(40):
            s3.must(200, "PUT", f"{at}/delete/day/{number}-{turn}", None, b"x")
            s3.must(204, "DELETE", f"{at}/delete/day/{number}-{turn}")
        s3.must(200, "PUT", f"{at}/delete/day/{number}", None, b"kept")

    at_once(8, work)
    equal("what was not deleted", [f"{at}/delete/day/{n}" for n in range(8)], s3.keys(f"{at}/delete/")[0])
    s3.must(204, "DELETE", f"{at}/delete/never-there")
    keys = s3.keys(f"{at}/")[0]
    equal("more than one bulk delete", True, len(keys) > 1000)
    s3.delete_all(keys + [f"{at}/delete/never-there"])
    equal("keys after deleting all", [], s3.keys(f"{at}/")[0])
    s3.must(404, "GET", keys[0])


def kills(s3, at, folder):
    """What was acknowledged survives, and nothing is ever half there."""
    server = os.path.join(os.path.dirname(os.path.abspath(__file__)), "server.sh")
    known, unsure = {}, {}
    for turn in range(KILLS):

        def write(number):
            for count in itertools.count():
                key = f"{at}/kill/{turn}/{number}/{count:06}"
                body = random.randbytes(random.choice([100, 5_000, 400_000]))
                unsure[key] = body
                try:
                    if count % 10 == 9:
                        answer = s3.upload(key, [body])[1]()
                    else:
                        answer = s3.ask("PUT", key, None, body, if_none_match="*")
                except (OSError, http.client.HTTPException):
                    return
                equal(f"answer to PUT {key}", 200, answer.status)
                known[key] = unsure.pop(key)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            writers = [pool.submit(write, number) for number in range(8)]
            time.sleep(random.uniform(0.5, 2))
            with open(os.path.join(folder, "server.pid")) as file:
                pid = int(file.read())
            os.kill(pid, signal.SIGKILL)
            for writer in writers:
                writer.result()
        port = s3.host.split(":")[-1]
        subprocess.run([server, "start", folder, port], check=True, stdout=subprocess.DEVNULL)
        s3.forget_connections()
        listed = set(s3.keys(f"{at}/kill/")[0])
        for key, body in known.items():
            equal(f"{key} after kill {turn}", True, key in listed and s3.must(200, "GET", key).body == body)
            again = s3.ask("PUT", key, None, b"", if_none_match="*").status
            equal(f"create of {key} again is refused", True, again in LOST)
        for key, body in unsure.items():
            answer = s3.ask("GET", key)
            whole = answer.status == 404 and key not in listed or answer.status == 200 and answer.body == body
            equal(f"{key} without an answer is whole or absent", True, whole)
    equal("something was written", True, len(known) > KILLS)
    print(f"kills: {len(known)} objects acknowledged before {KILLS} kills, {len(unsure)} without an answer")
    s3.delete_all(list(s3.keys(f"{at}/kill/")[0]))


def main():
    if len(sys.argv) not in (5, 6):
        print(__doc__, file=sys.stderr)
        return 2
    s3 = S3(*sys.argv[1:5])
    at = f"conformance-{os.urandom(4).hex()}"
    checks = [(check, s3, at) for check in (creates, swaps, ranges, lists, multipart, deletes)]
    if len(sys.argv) == 6:
        checks.append((kills, s3, at, sys.argv[5]))
    failed = 0
    for check, *arguments in checks:
        start = time.monotonic()
        try:
            check(*arguments)
            print(f"{check.__name__}: passed ({time.monotonic() - start:.1f} s)", flush=True)
        except (Differs, OSError, http.client.HTTPException, subprocess.CalledProcessError) as problem:
            failed += 1
            print(f"{check.__name__}: FAILED: {type(problem).__name__}: {problem}", flush=True)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
