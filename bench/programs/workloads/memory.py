# SPDX-License-Identifier: MIT
"""How much memory a program of several processes has resident: the sum of their proportional set sizes.

A page that processes share counts once in the sum, divided among them (PSS), so that shared buffers and what a server
forked from its parent are not counted twice. The sum is read at intervals: a peak that is shorter than one is missed.
Programs of one process at a time are better served by the kernel's own peak, process.Usage.peak_bytes.
"""

from __future__ import annotations

import threading
import time
from types import TracebackType

import psutil

from bench.programs.workloads.errors import CheckError
from bench.programs.workloads.process import descendants

INTERVAL_SECONDS = 0.05
"""Between two looks."""


def tree_bytes(pid: int) -> int:
    """Resident bytes of the processes below `pid` now."""
    total = 0
    for process in descendants(pid):
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            pass  # it ended between the listing and the look
    return total


class Sampler:
    """`with Sampler(pid) as sampler: ...` then `sampler.peak_bytes`: the most that was seen below `pid`."""

    def __init__(self, pid: int, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self.peak_bytes = 0
        self.line: list[tuple[float, int]] = []
        """Time of each look by time.monotonic(), and what was seen."""
        self.samples = 0
        self._pid = pid
        self._interval_seconds = interval_seconds
        self._ended = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        try:
            while not self._ended.wait(self._interval_seconds):
                seen = tree_bytes(self._pid)
                self.line.append((time.monotonic(), seen))
                self.peak_bytes = max(self.peak_bytes, seen)
                self.samples += 1
        except Exception as error:  # a thread's end would tell nobody
            self._error = error

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if kind is None and self._error is not None:
            raise CheckError(f"its memory could not be looked at: {self._error!r}") from self._error
