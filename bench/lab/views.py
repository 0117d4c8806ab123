# SPDX-License-Identifier: MIT
"""What tables, page and document show of a report, picked out of its object once for all of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from bench.engine.variants import SWITCHES
from bench.lab import contenders
from tools.measure import paired
from tools.measure.inference import Verdict

Row = dict[str, Any]

# hakmem's peak or tail is called a loss from here on: less is within what page sizes and a single run make of it.
_LOSS = 1.05

DECIDED = (Verdict.FASTER, Verdict.SLOWER, Verdict.EQUIVALENT, Verdict.UNDECIDED)


def workloads(report: Row, family: str) -> list[str]:
    """The workloads that a family ran, in the report's order."""
    ran = {row["workload"] for row in report["times"] if row["family"] == family}
    return [row["name"] for row in report["workloads"] if row["name"] in ran]


def compared(report: Row, family: str) -> list[Row]:
    return [row for row in report["comparisons"] if row["family"] == family]


def reason(row: Row) -> str:
    """Why a contender failed, in one line: how it ended, and the last thing that it said."""
    lines = [line for line in row["why"].splitlines() if line.strip()]
    return str(lines[0]) if len(lines) == 1 else f"{lines[0].partition(': ')[0]}: {lines[-1].strip()}"


def libraries(report: Row) -> list[str]:
    """All that ran as libraries, but for the control's second name."""
    return [
        row["name"]
        for row in report["contenders"]
        if row["family"] == contenders.LIBRARIES and not row["name"].endswith(contenders.AGAIN)
    ]


def subject(report: Row) -> str:
    """The library that is in every comparison of the libraries."""
    return str(report["baseline"] or contenders.HAKMEM)


def against_peers(report: Row) -> list[Row]:
    """hakmem by other libraries; or others by the report's baseline."""
    side = "other" if report["baseline"] else "one"
    return [row for row in compared(report, contenders.LIBRARIES) if row[side] == subject(report)]


def peer(report: Row, row: Row) -> str:
    """The library of the comparison that is not the subject."""
    return str(row["one" if report["baseline"] else "other"])


def peers(report: Row) -> list[str]:
    """Those that the subject was compared with, in the report's order."""
    return list(dict.fromkeys(peer(report, row) for row in against_peers(report)))


def what_is_compared(report: Row) -> str:
    """What a ratio of against_peers is."""
    return f"time by {subject(report)}'s" if report["baseline"] else "hakmem's time by the other's"


def rivals(report: Row) -> list[str]:
    """The libraries that hakmem's memory and tails are compared with."""
    own = (contenders.HAKMEM, contenders.GUARD)
    asked = peers(report) + ([subject(report)] if report["baseline"] else [])
    return [name for name in asked if name not in own]


def clock(report: Row, workload: str) -> str:
    """The sample's key that ratios on the workload are of."""
    return "cpu_ns" if next(row["threads"] for row in report["workloads"] if row["name"] == workload) == 1 else "ns"


PerOperation = dict[str, dict[str, list[float]]]


def per_operation(report: Row) -> PerOperation:
    """Workload -> library -> ns per operation of each round, by the clock that its ratios are of."""
    found: PerOperation = {}
    for row in report["samples"]:
        if row["family"] == contenders.LIBRARIES and row["rounds"] and not row["contender"].endswith(contenders.AGAIN):
            times = [ns / count for ns, count in zip(row[clock(report, row["workload"])], row["operations"])]
            found.setdefault(row["workload"], {})[row["contender"]] = times
    return {name: found[name] for name in workloads(report, contenders.LIBRARIES) if name in found}


def all_by_all(report: Row) -> dict[str, dict[str, float]]:
    """Library -> other -> geometric mean, over the workloads of both, of the median ratio of their rounds."""
    logs: dict[str, dict[str, list[float]]] = {}
    for of in per_operation(report).values():
        for one, times in of.items():
            for other, base in of.items():
                if one != other and len(times) == len(base):
                    median = statistics.median(paired.log_ratios(times, base))
                    logs.setdefault(one, {}).setdefault(other, []).append(median)
    return {
        one: {other: math.exp(statistics.fmean(values)) for other, values in of.items()} for one, of in logs.items()
    }


def failed(report: Row, workload: str, contender: str) -> str:
    """What stands in place of a ratio of the libraries that is not there."""
    wanted = {"family": contenders.LIBRARIES, "contender": contender}
    rows = [row for row in report["failures"] if all(row[key] == value for key, value in wanted.items())]
    here = any(row["workload"] == workload for row in rows)
    return "failed" if here else ("given up" if rows else "")


def times(report: Row) -> dict[str, float]:
    """Workload -> the subject's ns per operation, by the clock that its ratios are of."""
    return {
        workload: statistics.median(of[subject(report)])
        for workload, of in per_operation(report).items()
        if subject(report) in of
    }


def tally(rows: Sequence[Row]) -> dict[str, int]:
    """How often each verdict was reached."""
    return {verdict.value: sum(row["verdict"] == verdict.value for row in rows) for verdict in Verdict}


def thresholds(report: Row, family: str) -> dict[str, float | None]:
    """Workload -> how far the two names of the family's control were apart, as a share; None with too few rounds."""
    return {row["workload"]: row["noise_threshold"] for row in report["noise"] if row["family"] == family}


def geometric_mean(rows: Sequence[Row]) -> float | None:
    """Of the ratios of `rows`; None where there are none."""
    return paired.geometric_mean([row["ratio"] for row in rows]) if rows else None


def _with_verdict(report: Row, verdict: Verdict) -> list[Row]:
    return [row for row in against_peers(report) if row["verdict"] == verdict.value]


def _ratio(row: Row) -> float:
    return float(row["ratio"])


def losses(report: Row) -> list[Row]:
    """Where hakmem is slower than a peer, or others than the baseline, beyond doubt; the worst first."""
    return sorted(_with_verdict(report, Verdict.SLOWER), key=_ratio, reverse=True)


def wins(report: Row) -> list[Row]:
    """Where it is faster beyond doubt, the clearest first."""
    return sorted(_with_verdict(report, Verdict.FASTER), key=_ratio)


WORTHLESS = 0.05
"""A noise threshold above this hides what most changes of an allocator are."""

_OTHERS_MOST, _STEAL_MOST = 0.10, 0.02


def disturbances(report: Row) -> list[str]:
    """Sentences about a machine that did other things, and about thresholds above which nothing is left to decide."""
    load, found = report["load"], []
    if load["rounds"]:
        others, steal = (statistics.median(load[key]) for key in ("others", "steal"))
        if others > _OTHERS_MOST or steal > _STEAL_MOST:
            found.append(
                f"the machine was busy: in the middle round others took {others:.0%} of its processors and the "
                f"hypervisor {steal:.0%}; runs of one thread were on no processor for {load['waited'] or 0:.0%} of their "
                "time, which is not in their ratios, and is in those of threads"
            )
    high = [row for row in report["noise"] if (row["noise_threshold"] or 0) > WORTHLESS]
    if high:
        where = ", ".join(dict.fromkeys(row["workload"] for row in sorted(high, key=_threshold, reverse=True)))
        found.append(
            f"the noise threshold is above {WORTHLESS:.0%} in {len(high)} of {len(report['noise'])} places, so that "
            f"verdicts there are worth nothing but for large differences: {where}. --require-quiet waits for a quiet machine"
        )
    return found


def _threshold(row: Row) -> float:
    return float(row["noise_threshold"])


def failed_controls(report: Row) -> list[Row]:
    """Twins that differ: the laboratory saw a difference where there is none."""
    return [row for row in report["noise"] if row["verdict"] in (Verdict.FASTER.value, Verdict.SLOWER.value)]


def peaks(report: Row, family: str = contenders.LIBRARIES) -> dict[tuple[str, str], float]:
    """Workload and contender -> median of the peak resident bytes."""
    return {
        (row["workload"], row["contender"]): statistics.median(row["peak_rss_bytes"])
        for row in report["samples"]
        if row["family"] == family and row["rounds"]
    }


Figures = dict[tuple[str, str], float]
"""Workload and contender -> a figure of which less is better."""


def _larger(figures: Figures, what: str, against: Sequence[str]) -> list[Row]:
    """Where hakmem's figure is above a peer's by more than _LOSS, the worst first."""
    rows = [
        {"workload": workload, "other": other, "what": what, "ours": ours, "theirs": theirs, "ratio": ours / theirs}
        for (workload, name), ours in figures.items()
        if name == contenders.HAKMEM
        for other in against
        if (theirs := figures.get((workload, other), 0.0)) and ours > _LOSS * theirs
    ]
    return sorted(rows, key=_ratio, reverse=True)


def memory_figures(report: Row) -> dict[str, Figures]:
    """Resident bytes: the most, and what is left of it afterwards."""
    return {"peak": peaks(report)} | {
        what: {(row["workload"], row["contender"]): float(row[key]) for row in report["memory"]}
        for what, key in (("after free", "rss_after_free_bytes"), ("after decay", "rss_after_decay_bytes"))
    }


def memory_losses(report: Row) -> list[Row]:
    """Where hakmem needs more memory than a peer, or keeps more of it afterwards."""
    found = memory_figures(report)
    return [row for what, figures in found.items() for row in _larger(figures, what, rivals(report))]


def tail(row: Row, call: str, quantile: str) -> float:
    """The middle of the runs."""
    return float(statistics.median(row[call][quantile]))


def tail_figures(report: Row) -> dict[str, Figures]:
    """ns of the tails that are compared. The median call is part of the time per operation, and the longest one a
    single event: both are left out."""
    return {
        f"{call} {quantile}": {
            (row["workload"], row["contender"]): tail(row, call, quantile) for row in report["latency"]
        }
        for call in ("alloc", "free")
        for quantile in ("p99_ns", "p999_ns")
    }


def latency_losses(report: Row) -> list[Row]:
    """Where a tail of hakmem is longer than a peer's, in each of its runs than in any of the peer's."""
    rows = {(row["workload"], row["contender"]): row for row in report["latency"]}
    found = []
    for what, tails in tail_figures(report).items():
        call, quantile = what.split()
        for row in _larger(tails, what, rivals(report)):
            ours, theirs = (rows[row["workload"], name] for name in (contenders.HAKMEM, row["other"]))
            if min(ours[call][quantile]) > max(theirs[call][quantile]):
                found.append(row)
    return sorted(found, key=_ratio, reverse=True)


def by_peer(report: Row, kinds: dict[str, Figures], losses: Sequence[Row]) -> dict[str, Row]:
    """Workload -> `ours`, hakmem's figure of each kind, and peer -> (ratio, whether it is a loss) of each kind; None
    where there is none. The workload with the largest ratio first."""
    lost = {(row["workload"], row["other"], row["what"]) for row in losses}
    ran = dict.fromkeys(
        workload for figures in kinds.values() for workload, name in figures if name == contenders.HAKMEM
    )

    def ratio(what: str, workload: str, name: str) -> tuple[float, bool] | None:
        ours, theirs = (kinds[what].get((workload, library)) for library in (contenders.HAKMEM, name))
        return (ours / theirs, (workload, name, what) in lost) if ours is not None and theirs else None

    ratios = {
        workload: {name: [ratio(what, workload, name) for what in kinds] for name in rivals(report)} for workload in ran
    }

    def largest(workload: str) -> float:
        cells = [cell for of_peer in ratios[workload].values() for cell in of_peer if cell is not None]
        return max((ratio for ratio, _ in cells), default=0.0)

    return {
        workload: {
            "ours": [figures.get((workload, contenders.HAKMEM)) for figures in kinds.values()],
            **ratios[workload],
        }
        for workload in sorted(ratios, key=largest, reverse=True)
    }


def guards(report: Row) -> dict[str, Row]:
    """Workload -> `exact` and `full`: other -> the comparison of that guard's time, and its peak by the other's."""
    found: dict[str, Row] = {}
    for family, name, key in (
        (contenders.LIBRARIES, contenders.GUARD, "exact"),
        (contenders.WITH_GUARD, contenders.GUARD_FULL, "full"),
    ):
        most = peaks(report, family)
        for row in compared(report, family):
            if row["one"] == name:
                workload, other = row["workload"], row["other"]
                peak = most[workload, name] / most[workload, other]
                found.setdefault(workload, {}).setdefault(key, {})[other] = row | {"peak": peak}
    return found


def others(report: Row) -> list[Row]:
    """Comparisons that are of no switch and no peer: the profile, spacings and fallbacks."""
    families = (contenders.WITH_PROFILE, "spacings", contenders.FLIPPED)
    return [row for family in families for row in compared(report, family)]


def code_bytes(report: Row, family: str, name: str) -> int:
    """Of a contender's instructions."""
    return next(
        int(row["code_bytes"]) for row in report["contenders"] if (row["family"], row["name"]) == (family, name)
    )


def quantiles(report: Row) -> list[str]:
    """The tails' names, without counts and the like."""
    if not report["latency"]:
        return []
    return [name for name in report["latency"][0]["alloc"] if name != "count"]


def by_workload(rows: Sequence[Row], column: Callable[[Row], str]) -> dict[str, dict[str, Row]]:
    """Workload -> column -> row."""
    result: dict[str, dict[str, Row]] = {}
    for row in rows:
        result.setdefault(row["workload"], {})[column(row)] = row
    return result


def effect_name(row: Row) -> str:
    return " x ".join(switch.upper() for switch in row["switches"])


def find(rows: Sequence[Row], **wanted: Any) -> Row | None:
    """The first row with these values."""
    return next((row for row in rows if all(row[key] == value for key, value in wanted.items())), None)


def ladder(report: Row, family: str, workload: str) -> list[Row]:
    """The steps of the ladder on one workload: time, instructions and the ratio to the step before."""
    steps = []
    for number, step in enumerate(contenders.STEPS):
        time = find(report["times"], family=family, workload=workload, contender=step)
        if time is None:
            return []
        before = contenders.STEPS[number - 1] if number else None
        steps.append(
            {
                "step": step,
                "time": time,
                "counts": find(report["counts"], family=family, workload=workload, contender=step),
                "by_previous": before
                and find(report["comparisons"], family=family, workload=workload, one=step, other=before),
            }
        )
    return steps


def switch_rows(report: Row, family: str, workload: str) -> list[Row]:
    """Each switch: added to none, left out of all, and its main effect over all combinations."""
    rows = []
    for switch in SWITCHES:
        rest = "+".join(other for other in SWITCHES if other != switch)
        rows.append(
            {
                "switch": switch.upper(),
                "added": find(report["comparisons"], family=family, workload=workload, one=switch, other="none"),
                "left_out": find(
                    report["comparisons"], family=family, workload=workload, one=contenders.ALL, other=rest
                ),
                "effect": find(report["effects"], family=family, workload=workload, switches=[switch]),
            }
        )
    return rows


def fragmentation(samples: Sequence[Row]) -> float | None:
    """The largest share of resident bytes that is not live, over the samples in which anything is."""
    shares = [1 - sample["live_bytes"] / sample["rss_bytes"] for sample in samples if sample["live_bytes"]]
    return max(shares) if shares else None
