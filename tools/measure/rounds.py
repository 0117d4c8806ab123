# SPDX-License-Identifier: MIT
"""Interleaved rounds: in each, every contender of a workload runs once, one after another, in a seeded random order.

So each contender sees the same drift of the machine's speed, and none always runs first or after the same one. The
contenders of one workload stand next to each other in time, and are compared with nothing else: a **slot**. A round
has all slots, in a random order as well, so that a disturbance of some seconds hits a few rounds of each and not all
rounds of one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tools.measure import conditions, progress

Slot = TypeVar("Slot", bound=Hashable)
Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")

WARM_UP_ROUNDS = 1
"""Rounds that run and are discarded: the first start of a program reads it from the disk."""


@dataclass(frozen=True)
class Turn(Generic[Slot, Key]):
    """One run of one contender."""

    number: int
    """Of the round; below WARM_UP_ROUNDS it is discarded. What is random in a workload may change from round to round
    but is the same for all contenders of one."""
    slot: Slot
    key: Key
    padding: int
    """Bytes that the environment is longer by in this round."""

    @property
    def counts(self) -> bool:
        return self.number >= WARM_UP_ROUNDS


def orders(keys: Sequence[Key], rounds: int, seed: int | str) -> list[list[Key]]:
    """The order of `keys` in each round. Equal seeds give equal orders."""
    generator = random.Random(seed)
    return [generator.sample(list(keys), len(keys)) for _ in range(rounds)]


def schedule(slots: Mapping[Slot, Sequence[Key]], rounds: int, seed: int) -> Iterator[Turn[Slot, Key]]:
    """All turns of `rounds` and the warm-up, in the order in which they run."""
    total = rounds + WARM_UP_ROUNDS
    paddings = conditions.paddings(total, seed)
    # Each slot has orders of its own, which do not depend on what else runs.
    within = {slot: orders(keys, total, f"{seed} {slot}") for slot, keys in slots.items()}
    for number, order in enumerate(orders(list(slots), total, seed)):
        for slot in order:
            for key in within[slot][number]:
                yield Turn(number, slot, key, paddings[number])


def run(
    description: str,
    slots: Mapping[Slot, Sequence[Key]],
    rounds: int,
    seed: int,
    measure: Callable[[Turn[Slot, Key]], Result],
) -> dict[Slot, dict[Key, list[Result]]]:
    """Measures every turn; the results of each slot and key in rounds' order, warm-up discarded."""
    results: dict[Slot, dict[Key, list[Result]]] = {slot: {key: [] for key in keys} for slot, keys in slots.items()}
    turns = list(schedule(slots, rounds, seed))
    for turn in progress.shown(description, turns):
        result = measure(turn)
        if turn.counts:
            results[turn.slot][turn.key].append(result)
    return results
