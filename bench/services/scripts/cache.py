# SPDX-License-Identifier: MIT
"""A service of several threads with a cache: cache.py WORK_SECONDS IDLE_SECONDS ENTRIES.

The cache is filled, then threads make documents and put them in place of random ones; then nearly all of it is dropped.
After that nothing is done for IDLE_SECONDS. `marks` and `latencies` of the working folder are those of shapes.c.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from array import array

THREADS = 8
LOAD_SHARE = 0.7  # of the working time; the rest is for filling the cache
KEPT_SHARE = 20  # one entry in so many stays when the cache shrinks
WRITTEN = 1024  # latencies that a thread keeps until it writes them


def mark(word: str) -> None:
    with open("marks", "a", encoding="ascii") as marks:
        marks.write(f"{word} {time.monotonic_ns()}\n")


def document(generator: random.Random) -> str:
    """A text of 200 bytes to 20 KiB, by way of objects and JSON."""
    rows = [
        {"number": number, "name": "n" * generator.randrange(5, 60), "tags": [number] * 3}
        for number in range(1 << generator.randrange(1, 8))
    ]
    return json.dumps(rows)


def serve(cache: dict[int, str], entries: int, end: float, seed: int) -> None:
    generator = random.Random(seed)
    took = array("I")
    with open("latencies", "ab", buffering=0) as latencies:
        while time.monotonic() < end:
            began = time.monotonic_ns()
            cache[generator.randrange(entries)] = document(generator)
            took.append(min(time.monotonic_ns() - began, 2**32 - 1))
            if len(took) == WRITTEN:
                latencies.write(took.tobytes())
                del took[:]
        latencies.write(took.tobytes())


def main() -> None:
    work, idle, entries = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    mark("begin")
    generator = random.Random(0)
    cache = {key: document(generator) for key in range(entries)}
    end = time.monotonic() + LOAD_SHARE * work
    threads = [threading.Thread(target=serve, args=(cache, entries, end, seed)) for seed in range(1, THREADS + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for key in range(entries):
        if key % KEPT_SHARE:
            del cache[key]
    mark("idle")
    time.sleep(idle)
    mark("end")


main()
