# SPDX-License-Identifier: MIT
"""What changed between two reports.

Times of two reports are not comparable: the machine may have been in another state. Ratios to a contender that is the
same file in both are, as far as the machine treats both contenders alike. So each report gives the log ratios of a
contender to that **baseline**, round by round, and the two sets are compared as independent samples: difference of
medians with its bootstrap, Mann and Whitney's test ("On a test of whether one of two random variables is
stochastically larger than the other", Annals of Mathematical Statistics 18, 1947), and Holm's correction over all.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.lab.plan import Slot
from bench.lab.report import SCHEMA
from tools.measure import contender, inference, paired, peers
from tools.measure.inference import Verdict
from tools.measure.program import BenchError

Row = dict[str, Any]

_PARTS = {
    *(
        "baseline",
        "calibration",
        "commit",
        "comparisons",
        "compilation",
        "complete",
        "conditions",
        "contenders",
        "counts",
    ),
    *("created", "effects", "ended_by", "ended_in", "failures", "families", "hot_path", "latency", "load", "machine"),
    *("memory", "mode", "noise", "notes", "rounds", "samples", "seconds", "seed", "system_calls", "times", "workloads"),
}
"""Of a report of any commit since the schema is this one."""

_CONFIDENCE = paired.CONFIDENCE
_RESAMPLES = 9999

# A change is told of the new report's contender; faster and slower would leave open which of the two is meant.
REGRESSION, IMPROVEMENT = "regression", "improvement"
_WORDS = {Verdict.FASTER.value: IMPROVEMENT, Verdict.SLOWER.value: REGRESSION}


def load(path: Path) -> Row:
    """A report that was kept; a BenchError says what is wrong with the file."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise BenchError(f"{path} is not JSON: {error}") from error
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise BenchError(f"{path} is not a report of the laboratory of schema {SCHEMA}")
    if missing := sorted(_PARTS - report.keys()):
        raise BenchError(f"{path} is no whole report of the laboratory: it has no {missing[0]}")
    # Figures that came later, under keys of their own: an older report does not have them.
    for row in report["memory"]:
        row.setdefault("rss_after_second_bytes", None)
    return {"scaling": [], "startup": []} | report


def _hash(report: Row, family: str, name: str) -> str | None:
    return next((row["sha256"] for row in report["contenders"] if (row["family"], row["name"]) == (family, name)), None)


def baselines(old: Row, new: Row) -> dict[str, str]:
    """Family -> the contender that both reports have, the same file; families without one are left out."""
    preferred = (peers.REFERENCE, contender.GLIBC)
    found = {}
    for family in (row["name"] for row in new["families"]):
        names = [row["name"] for row in new["contenders"] if row["family"] == family]
        outside = [
            name
            for name in names
            if not _is_own(new, family, name) and _hash(new, family, name) == _hash(old, family, name)
        ]
        ordered = sorted(outside, key=lambda name: (preferred + (name,)).index(name))
        if ordered:
            found[family] = ordered[0]
    return found


def _is_own(report: Row, family: str, name: str) -> bool:
    """Whether the contender is a build of hakmem: those are what is compared."""
    return any(
        row["config"] is not None for row in report["contenders"] if (row["family"], row["name"]) == (family, name)
    )


def _logs(report: Row, slot: Slot, one: str, other: str) -> list[float]:
    """Log ratios of two contenders in the rounds that both have; empty where one did not run."""
    threads = next(row["threads"] for row in report["workloads"] if row["name"] == slot.workload)
    clock = "cpu_ns" if threads == 1 else "ns"
    rows = {
        row["contender"]: dict(zip(row["rounds"], zip(row[clock], row["operations"])))
        for row in report["samples"]
        if (row["family"], row["workload"]) == slot and row["contender"] in (one, other)
    }
    if one not in rows or other not in rows:
        return []
    shared = sorted(rows[one].keys() & rows[other].keys())
    times = [[ns / operations for ns, operations in (rows[name][number] for number in shared)] for name in (one, other)]
    return paired.log_ratios(*times)


def _difference(old: Sequence[float], new: Sequence[float], seed: int) -> inference.Estimate:
    """The new median by the old one, of independent samples."""
    import numpy
    import scipy.stats

    def change(after: Any, before: Any, axis: int = -1) -> Any:
        return numpy.median(after, axis=axis) - numpy.median(before, axis=axis)

    median, rounds = math.exp(float(change(new, old))), min(len(old), len(new))
    if rounds < paired.ROUNDS_MIN:
        return inference.Estimate(median, None, rounds, 1.0)

    interval = scipy.stats.bootstrap(
        (numpy.array(new), numpy.array(old)),
        change,
        n_resamples=_RESAMPLES,
        confidence_level=_CONFIDENCE,
        method="percentile",
        random_state=seed,
    ).confidence_interval
    ratio = paired.Ratio(median, math.exp(float(interval.low)), math.exp(float(interval.high)))
    p = 1.0 if list(old) == list(new) else float(scipy.stats.mannwhitneyu(new, old).pvalue)
    return inference.Estimate(median, ratio, rounds, p)


def _threshold(report: Row, slot: Slot) -> float | None:
    return next(
        (row["noise_threshold"] for row in report["noise"] if (row["family"], row["workload"]) == slot),
        None,
    )


def _rows(old: Row, new: Row, baseline: dict[str, str], seed: int) -> list[Row]:
    rows = []
    for sample in new["samples"]:
        slot, name = Slot(sample["family"], sample["workload"]), sample["contender"]
        against = baseline.get(slot.family)
        if against is None or name == against or not _is_own(new, slot.family, name):
            continue
        before, after = _logs(old, slot, name, against), _logs(new, slot, name, against)
        if before and after:
            estimate = _difference(before, after, seed)
            ratio = estimate.ratio
            rows.append(
                {
                    "family": slot.family,
                    "workload": slot.workload,
                    "contender": name,
                    "baseline": against,
                    "ratio": estimate.median,
                    "low": None if ratio is None else ratio.low,
                    "high": None if ratio is None else ratio.high,
                    "rounds": estimate.rounds,
                    "p": estimate.p,
                }
            )
    return rows


def compare(old: Row, new: Row) -> list[Row]:
    """Every contender of hakmem on every workload that both reports have: the new ratio to the baseline by the old.

    Raises BenchError where nothing can be compared.
    """
    baseline = baselines(old, new)
    rows = _rows(old, new, baseline, new["seed"])
    if not rows:
        raise BenchError(
            "the reports cannot be compared: they have no workload in common, or no other library that is the same "
            "file in both"
        )
    for row, adjusted in zip(rows, inference.holm([row["p"] for row in rows])):
        slot = Slot(row["family"], row["workload"])
        thresholds = [
            threshold for threshold in (_threshold(old, slot), _threshold(new, slot)) if threshold is not None
        ]
        row["p_adjusted"] = adjusted
        row["verdict"] = _verdict(row, thresholds)
    return rows


def _verdict(row: Row, thresholds: Sequence[float]) -> str:
    if row["low"] is None or len(thresholds) < 2:
        return Verdict.INCOMPLETE.value
    ratio = paired.Ratio(row["ratio"], row["low"], row["high"])
    found = inference.verdict(ratio, row["p_adjusted"], math.log1p(max(thresholds))).value
    return _WORDS.get(found, found)


def differences_of_machines(old: Row, new: Row) -> list[str]:
    """What of the machine is not the same in both reports."""
    keys = ("cpu_model", "processors_allowed", "kernel", "transparent_huge_pages", "governors")
    return [
        f"{key.replace('_', ' ')}: {old['machine'][key]} then, {new['machine'][key]} now"
        for key in keys
        if old["machine"][key] != new["machine"][key]
    ]
