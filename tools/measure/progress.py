# SPDX-License-Identifier: MIT
"""A line on standard error that says how far the work is, while it is a terminal; else nothing.

It is drawn between two items only, never by a thread of its own: nothing runs beside what is measured.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


@contextmanager
def line(description: str, total: int) -> Iterator[Callable[[], None]]:
    """What is yielded moves the line by one."""
    if not sys.stderr.isatty():
        yield lambda: None
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
