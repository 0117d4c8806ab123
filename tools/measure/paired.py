# SPDX-License-Identifier: MIT
"""Statistics of paired rounds.

The machine's speed drifts, so times of different rounds are not comparable; times of one round are. Each round
gives one ratio of contender to baseline; the median of the ratios' logarithms is the estimate, and a bootstrap
over rounds its interval. Logarithms make a ratio and its inverse equally far from 1.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# Fewer pairs give a median whose 95 % interval is little more than the range of the data.
ROUNDS_MIN = 15

CONFIDENCE = 0.95

# Resamples of the bootstrap: 10,000 gaps between the order statistics.
_RESAMPLES = 9999


@dataclass(frozen=True)
class Ratio:
    """A time relative to a baseline's: below 1 is faster than the baseline."""

    estimate: float
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""


ONE = Ratio(1.0, 1.0, 1.0)
"""The baseline's ratio to itself."""


def ratio(times: Sequence[float], baseline: Sequence[float], seed: int) -> Ratio:
    """The paired ratio of `times` to `baseline`, both in rounds' order and one unit (ns per operation).

    The interval is the percentile bootstrap of the median, from `seed`, so that equal data give equal figures.
    """
    return median_ratio(log_ratios(times, baseline), seed)


def log_ratios(times: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """The logarithm of each round's ratio."""
    if len(times) != len(baseline):
        raise ValueError(f"{len(times)} and {len(baseline)} times are not pairs")
    return [math.log(time / base) for time, base in zip(times, baseline)]


def median_interval(values: Sequence[float], seed: int) -> tuple[float, float]:
    """The 95 % interval of the median of `values`, one a round, by the percentile bootstrap."""
    if len(values) < ROUNDS_MIN:
        raise ValueError(f"{len(values)} rounds are fewer than {ROUNDS_MIN}")
    # Slow to load, which --help and a refused argument do without.
    import numpy

    generator = numpy.random.RandomState(seed)
    chosen = generator.randint(len(values), size=(_RESAMPLES, len(values)))
    medians = numpy.median(numpy.array(values)[chosen], axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = numpy.quantile(medians, [tail, 1 - tail])
    return float(low), float(high)


def median_ratio(logs: Sequence[float], seed: int) -> Ratio:
    """The median of logarithms of ratios, as a ratio, with its interval."""
    low, high = median_interval(logs, seed)
    return Ratio(estimate=math.exp(statistics.median(logs)), low=math.exp(low), high=math.exp(high))


def geometric_mean(values: Sequence[float]) -> float:
    """Of ratios, at least one."""
    return math.exp(statistics.fmean(map(math.log, values)))


def median_count(values: Sequence[int]) -> int:
    """The median of counts or bytes: one of the values, the lower of the middle two."""
    return statistics.median_low(values)
