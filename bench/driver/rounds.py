"""Interleaved rounds: in each, every contender runs once, one after another, in a seeded random order.

So each contender sees the same drift of the machine's speed, and none always runs first or after the same one.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

Key = TypeVar("Key")
Result = TypeVar("Result")

WARM_UP_ROUNDS = 1
"""Rounds that run and are discarded: the first start of a program reads it from the disk."""


def orders(keys: Sequence[Key], rounds: int, seed: int) -> list[list[Key]]:
    """The order of `keys` in each round. Equal seeds give equal orders."""
    generator = random.Random(seed)
    return [generator.sample(list(keys), len(keys)) for _ in range(rounds)]


@contextmanager
def _progress(description: str, total: int) -> Iterator[Callable[[], None]]:
    """A line on standard error that `advance` moves, while it is a terminal; else nothing."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda: progress.advance(task)


def shown(description: str, items: Sequence[Key]) -> Iterator[Key]:
    """The items, with the progress line moving as they are consumed."""
    with _progress(description, len(items)) as advance:
        for item in items:
            yield item
            advance()


def run(
    description: str,
    keys: Sequence[Key],
    rounds: int,
    seed: int,
    measure: Callable[[Key, int], Result],
) -> dict[Key, list[Result]]:
    """Measures every key once a round; the results of each key in rounds' order, warm-up discarded.

    `measure` gets the key and the number of the round: what is random in a workload may change from round to
    round but is the same for all contenders of one.
    """
    results: dict[Key, list[Result]] = {key: [] for key in keys}
    with _progress(description, (rounds + WARM_UP_ROUNDS) * len(keys)) as advance:
        for number, order in enumerate(orders(keys, rounds + WARM_UP_ROUNDS, seed)):
            for key in order:
                result = measure(key, number)
                if number >= WARM_UP_ROUNDS:
                    results[key].append(result)
                advance()
    return results
