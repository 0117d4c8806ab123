# SPDX-License-Identifier: MIT
"""How much longer a process takes with hakmem than with the C library's malloc: by each way to end it, the two in turn.

    bazel run //tests/preload/life:ends -- --times=101

Exit status 1: by some way the median of the differences is more than 10 ms. By hand, since a busy machine decides it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

from tests.preload.life import run

# Whose end hangs on no timer. Threads allocate meanwhile by all but the first and the last.
WAYS = ("exit", "quick_exit", "_exit", "return", "return_detached", "return_forking", "exec", "pthread_exit")
MOST_MS = 10.0


def milliseconds(way: str, library: Path | None) -> float:
    begun = time.monotonic()
    ended = run.program("exit_paths", way, library=library)
    taken = time.monotonic() - begun
    if ended.status != 0 or ended.allocator() != ("other" if library is None else "hakmem"):
        sys.exit(f"ends: {way}: {ended}")
    return 1000 * taken


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="ends")
    parser.add_argument("--times", type=int, default=101, help="of each way, with either; default: 101")
    parsed = parser.parse_args(arguments)
    if parsed.times < 1:
        parser.error("--times is a number from 1 on")
    is_late = False
    for way in WAYS:
        pairs = [(milliseconds(way, None), milliseconds(way, run.LIBRARY)) for _ in range(parsed.times)]
        theirs, ours = (statistics.median(side) for side in zip(*pairs))
        late = statistics.median(our - their for their, our in pairs)
        is_late |= late > MOST_MS
        print(
            f"{way}: {theirs:.1f} ms with the C library's malloc, {ours:.1f} ms with hakmem: {late:+.1f} ms", flush=True
        )
    return 1 if is_late else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
