# SPDX-License-Identifier: MIT
"""How far the work is, on standard error: a line that moves while that is a terminal, else, where every() asks for it, a
line of its own now and then.

It is drawn between two items only, never by a thread of its own: nothing runs beside what is measured.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

SECONDS = 10
"""Between two lines where nobody says otherwise: longer, and one wonders whether it still works."""

_every = math.inf


def every(seconds: float) -> None:
    """From now on: the time between two lines where standard error is no terminal; 0: none at all."""
    global _every
    _every = seconds or math.inf


def say(text: str) -> None:
    """A line of its own, for those who see how far the work is."""
    if sys.stderr.isatty() or _every < math.inf:
        print(text, file=sys.stderr, flush=True)


def _remaining(done: int, total: int, seconds: float) -> str:
    return f", some {seconds * (total - done) / done:.0f} s left" if done < total else ""


@contextmanager
def _lines(description: str, total: int, clock: Callable[[], float]) -> Iterator[Callable[[], None]]:
    began = said = clock()
    done = 0

    def advance() -> None:
        nonlocal said, done
        done += 1
        now = clock()
        if now - said >= _every:
            said = now
            rest = _remaining(done, total, now - began)
            print(f"{description}: {done} of {total} after {now - began:.0f} s{rest}", file=sys.stderr, flush=True)

    yield advance


@contextmanager
def line(description: str, total: int, clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[], None]]:
    """What is yielded moves the line by one."""
    if not sys.stderr.isatty():
        with _lines(description, total, clock) as advance:
            yield advance
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as progress:
        task = progress.add_task(description, total=total)
        progress.refresh()

        def advance() -> None:
            progress.advance(task)
            progress.refresh()

        yield advance


def shown(description: str, items: Sequence[Item]) -> Iterator[Item]:
    """The items, with the line moving as they are consumed."""
    with line(description, len(items)) as advance:
        for item in items:
            yield item
            advance()
