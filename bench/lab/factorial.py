# SPDX-License-Identifier: MIT
"""What each switch does to time, over all sixteen combinations: a 2^4 factorial experiment.

Each round runs all combinations. The effect of a switch in a round is the mean log time of the eight runs with it less
that of the eight without it; the interaction of two is how much the effect of the one changes when the other is turned
on, by half. So every run speaks for every effect, and what the machine does to a whole round cancels. An effect is
given as a ratio: 0.8 is a fifth less time, an interaction of 0.9 makes the two together faster than their product.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from bench.engine.variants import COMBINATIONS, SWITCHES
from tools.measure import inference

EFFECTS: tuple[tuple[str, ...], ...] = tuple(
    switches for count in (1, 2) for switches in itertools.combinations(SWITCHES, count)
)
"""The main effects, then the interactions of two."""


def sign(switches: Sequence[str], combination: str) -> int:
    """+1 where the combination "p0+p2" counts for the effect of `switches`, -1 where it counts against it."""
    on = combination.split("+")
    return math.prod(1 if switch in on else -1 for switch in switches)


def contrasts(switches: Sequence[str], times: Mapping[str, Sequence[float]]) -> list[float]:
    """The effect of `switches` in each round, as the logarithm of a ratio; `times` are each combination's by round."""
    missing = set(COMBINATIONS.values()) - times.keys()
    if missing:
        raise ValueError(f"an effect needs all combinations; {', '.join(sorted(missing))} are missing")
    import numpy

    names = sorted(COMBINATIONS.values())
    logs = numpy.log([times[name] for name in names])
    signs = numpy.array([sign(switches, name) for name in names])
    # Half of the combinations count for it, half against it: a difference of two means.
    return [float(value) for value in signs @ logs / (len(names) / 2)]


def effects(times: Mapping[str, Sequence[float]], seed: int) -> dict[tuple[str, ...], inference.Estimate]:
    """Every effect of EFFECTS."""
    return {switches: inference.estimate(contrasts(switches, times), seed) for switches in EFFECTS}
