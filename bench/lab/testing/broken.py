# SPDX-License-Identifier: MIT
"""The laboratory with the C library and peers that break their promises, on the worker itself: for a test of how it survives.

bench/testing/broken_malloc.c says what each promise is.
"""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from bench.engine import worker
from bench.lab import contenders, lab
from bench.lab.contenders import Family
from bench.lab.testing import fake
from tools.measure import peers, program
from tools.measure.contender import Contender, GLIBC

PROMISES = ("null", "abort", "exit", "hang", "hoard", "fork", "overlap")
LEAK = "leak"
"""No promise of these is broken, but that of free."""

# Of malloc's calls: some rounds of the worker's loop are over by then.
_FROM = "1000"


def family() -> Family:
    """hakmem stands for the C library here: what is tested is what becomes of the others."""
    program_path, library = worker.executable("worker_malloc"), worker.executable("libbroken-malloc.so")

    def sound(name: str) -> Contender:
        return Contender(name, worker=program_path, library=peers.installed("libc.so.6"))

    def broken(promise: str) -> Contender:
        options = (("BROKEN_MALLOC", promise), ("BROKEN_MALLOC_FROM", _FROM))
        return Contender(promise, worker=program_path, library=library, options=options)

    others = [broken(promise) for promise in (*PROMISES, LEAK)]
    again = contenders.HAKMEM + contenders.AGAIN
    return Family(
        name=contenders.LIBRARIES,
        contenders=(sound(contenders.HAKMEM), sound(again), *others, Contender(GLIBC, worker=program_path)),
        control=(contenders.HAKMEM, again),
        pairs=tuple((contenders.HAKMEM, name) for name in (*PROMISES, LEAK, GLIBC)),
        reference=GLIBC,
    )


def main() -> None:
    with (
        mock.patch.object(contenders, "families", lambda peers: [family()]),
        mock.patch.object(lab, "_surroundings", fake.surroundings),
    ):
        lab.main()


if __name__ == "__main__":
    program.run(Path(__file__).stem, main)
