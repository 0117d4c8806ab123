# SPDX-License-Identifier: MIT
"""Objects of all sizes in the interpreter: prints figures that do not depend on who allocates."""

import hashlib
import json
import re
import resource
import threading

DIGEST = hashlib.sha256()


def work(seed: int) -> str:
    words = [f"{(i * 2654435761 + seed) % 1000003:x}" for i in range(20000)]
    by_length: dict[int, list[str]] = {}
    for word in words:
        by_length.setdefault(len(word), []).append(word)
    text = " ".join(sorted(words))
    again = json.loads(json.dumps(by_length))
    blob = bytearray()
    for _ in range(8):
        blob += text.encode() * 4
    del blob[: len(blob) // 2]
    matches = re.findall(r"\b[a-f]+\d", text)
    return hashlib.sha256(repr((sorted(again), len(matches), bytes(blob[:1000]))).encode()).hexdigest()


results = [""] * 4


def fill(index: int) -> None:
    results[index] = work(index)


for _ in range(3):
    threads = [threading.Thread(target=fill, args=(index,)) for index in range(len(results))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    DIGEST.update("".join(results).encode())

# More than the limit that it runs under allows: an exception, and the interpreter goes on. No limit, no attempt: what
# is granted is also written to.
refused = 0
for bytes_wanted in (1 << 33, 1 << 36):
    assert resource.getrlimit(resource.RLIMIT_AS)[0] < bytes_wanted, "to be run under a limit"
    try:
        bytearray(bytes_wanted)
    except MemoryError:
        refused += 1

print(DIGEST.hexdigest(), refused, work(7))
