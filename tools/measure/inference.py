# SPDX-License-Identifier: MIT
"""From paired samples to verdicts.

Estimate and interval are those of paired.py: the median of the rounds' log ratios and its 95 % bootstrap.

**Test.** Wilcoxon's signed-rank test on the same log ratios ("Individual comparisons by ranking methods", Biometrics
Bulletin 1, 1945). Contenders run in random order within each round, so if two were the same, a round's ratio would be
as likely turned round: the log ratios are symmetric around 0, which is all that the test wants. It is exact for few
rounds, and one wild round moves it little.

**Correction.** Holm's step-down procedure (Scandinavian Journal of Statistics 6, 1979) over all comparisons of a
report: the chance of a single wrong "faster" or "slower" among all of them stays below 5 %, whatever the dependence
between them. That matters here, since hakmem's samples are in all of them; procedures of the false discovery rate
want independence or give up more. It never decides less than Bonferroni's, of which it is the refinement.

**Noise threshold.** The A/A control runs one library under two names. How far its interval reaches is what this machine
shows where there is no difference. An interval that is not all beyond that threshold decides nothing: of 1,000 simulated
reports of a library beside its copies 2 to 7 had a wrong verdict while only the estimate had to be beyond it, and none has
one now.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from tools.measure import paired
from tools.measure.paired import Ratio

ALPHA = 0.05
"""Chance of a wrong verdict among all of a report."""

EQUIVALENT = 0.01
"""An interval within 1 - this and 1 + this says that there is no difference that matters."""


class Verdict(Enum):
    """Of one contender against another."""

    FASTER = "faster"
    SLOWER = "slower"
    EQUIVALENT = "equivalent"
    UNDECIDED = "undecided"
    INCOMPLETE = "incomplete"
    """Interrupted before there were rounds enough."""


def signed_rank(logs: Sequence[float]) -> float:
    """The two-sided p-value of Wilcoxon's test that `logs` lie around 0."""
    import scipy.stats

    # A round without any difference speaks for neither side; left out, as Wilcoxon has it.
    nonzero = [log for log in logs if log != 0]
    if not nonzero:
        return 1.0
    return float(scipy.stats.wilcoxon(nonzero).pvalue)


def least_p(rounds: int) -> float:
    """The smallest p-value that signed_rank can give: all rounds on one side."""
    return 2.0 ** (1 - rounds)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted by Holm's procedure, in the order given: below ALPHA is a verdict."""
    adjusted = [1.0] * len(p_values)
    reached = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = reached
    return adjusted


def rounds_wanted(comparisons: int) -> int:
    """The fewest rounds in which a comparison out of `comparisons` can come out at all, and paired.ROUNDS_MIN."""
    return max(paired.ROUNDS_MIN, 1 + math.ceil(math.log2(max(1, comparisons) / ALPHA)))


def reach(ratio: Ratio) -> float:
    """How far the interval reaches from 1, as a logarithm."""
    return max(abs(math.log(ratio.low)), abs(math.log(ratio.high)))


def verdict(ratio: Ratio, p_adjusted: float, threshold: float) -> Verdict:
    """The verdict on a ratio; `threshold` is the reach of the A/A ratio of the same workload.

    A difference below EQUIVALENT is none, however sure it is; nothing is said about what lies within the threshold.
    """
    limit_low, limit_high = 1 - EQUIVALENT, 1 + EQUIVALENT
    if limit_low <= ratio.low and ratio.high <= limit_high:
        return Verdict.EQUIVALENT if threshold <= math.log(limit_high) else Verdict.UNDECIDED
    if p_adjusted >= ALPHA:
        return Verdict.UNDECIDED
    if math.log(ratio.high) < -threshold:
        return Verdict.FASTER
    return Verdict.SLOWER if math.log(ratio.low) > threshold else Verdict.UNDECIDED


@dataclass(frozen=True)
class Estimate:
    """A ratio, and how sure it is that it is not 1."""

    median: float
    """Of the rounds' ratios."""
    ratio: Ratio | None
    """The same with its interval; None with fewer rounds than one wants."""
    rounds: int
    p: float
    """Of this comparison alone."""


@dataclass(frozen=True)
class Judged:
    """A comparison among all of a report."""

    p_adjusted: float
    verdict: Verdict


def judged(estimates: Sequence[Estimate], thresholds: Sequence[float | None]) -> list[Judged]:
    """The verdict on each of a report's comparisons, corrected over all of them.

    A threshold is the reach of the comparison's A/A control; None: it is not known, and nothing is decided.
    """
    adjusted = holm([one.p for one in estimates])
    return [
        Judged(
            p,
            (Verdict.INCOMPLETE if one.ratio is None or threshold is None else verdict(one.ratio, p, threshold)),
        )
        for one, p, threshold in zip(estimates, adjusted, thresholds)
    ]


def estimate(logs: Sequence[float], seed: int) -> Estimate:
    """What the log ratios of some rounds, at least one, say."""
    enough = len(logs) >= paired.ROUNDS_MIN
    return Estimate(
        median=math.exp(statistics.median(logs)),
        ratio=paired.median_ratio(logs, seed) if enough else None,
        rounds=len(logs),
        p=signed_rank(logs) if enough else 1.0,
    )
