"""What tables, page and document show of a report, picked out of its object once for all of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from bench.driver.variants import SWITCHES
from bench.lab import contenders
from bench.lab.inference import Verdict

Row = dict[str, Any]

# hakmem's peak or tail is called a loss from here on: less is within what page sizes and a single run make of it.
_LOSS = 1.05

DECIDED = (Verdict.FASTER, Verdict.SLOWER, Verdict.EQUIVALENT, Verdict.UNDECIDED)


def workloads(report: Row, group: str) -> list[str]:
    """The workloads that a group ran, in the report's order."""
    ran = {row["workload"] for row in report["times"] if row["group"] == group}
    return [row["name"] for row in report["workloads"] if row["name"] in ran]


def compared(report: Row, group: str) -> list[Row]:
    return [row for row in report["comparisons"] if row["group"] == group]


def peers(report: Row) -> list[str]:
    """Those that hakmem was compared with, in the report's order."""
    return list(dict.fromkeys(row["other"] for row in compared(report, contenders.LIBRARIES)))


def tally(rows: Sequence[Row]) -> dict[str, int]:
    """How often each verdict was reached."""
    return {verdict.value: sum(row["verdict"] == verdict.value for row in rows) for verdict in Verdict}


def floors(report: Row, group: str) -> dict[str, float | None]:
    """Workload -> how far the group's twins were apart, as a share; None with too few rounds."""
    return {row["workload"]: row["floor"] for row in report["noise"] if row["group"] == group}


def geometric_mean(rows: Sequence[Row]) -> float | None:
    """Of the ratios of `rows`; None where there are none."""
    return math.exp(statistics.fmean(math.log(row["ratio"]) for row in rows)) if rows else None


def _with_verdict(report: Row, verdict: Verdict) -> list[Row]:
    return [row for row in compared(report, contenders.LIBRARIES) if row["verdict"] == verdict.value]


def _ratio(row: Row) -> float:
    return float(row["ratio"])


def losses(report: Row) -> list[Row]:
    """Where hakmem is slower than a peer beyond doubt, the worst first."""
    return sorted(_with_verdict(report, Verdict.SLOWER), key=_ratio, reverse=True)


def wins(report: Row) -> list[Row]:
    """Where it is faster beyond doubt, the clearest first."""
    return sorted(_with_verdict(report, Verdict.FASTER), key=_ratio)


def noisy_twins(report: Row) -> list[Row]:
    """Twins that differ: the laboratory saw a difference where there is none."""
    return [row for row in report["noise"] if row["verdict"] in (Verdict.FASTER.value, Verdict.SLOWER.value)]


def peaks(report: Row) -> dict[tuple[str, str], float]:
    """Workload and contender -> median of the peak resident bytes, of the libraries."""
    return {
        (row["workload"], row["contender"]): statistics.median(row["peak_rss_bytes"])
        for row in report["samples"]
        if row["group"] == contenders.LIBRARIES and row["rounds"]
    }


def _larger(figures: dict[tuple[str, str], float], what: str, against: Sequence[str]) -> list[Row]:
    """Where hakmem's figure is above a peer's by more than _LOSS, the worst first."""
    rows = [
        {"workload": workload, "other": other, "what": what, "ours": ours, "theirs": theirs, "ratio": ours / theirs}
        for (workload, name), ours in figures.items()
        if name == contenders.HAKMEM
        for other in against
        if (theirs := figures.get((workload, other), 0.0)) and ours > _LOSS * theirs
    ]
    return sorted(rows, key=_ratio, reverse=True)


def memory_losses(report: Row) -> list[Row]:
    """Where hakmem needs more memory than a peer, or keeps more of it afterwards."""
    rows = _larger(peaks(report), "peak", peers(report))
    for key, what in (("rss_after_free_bytes", "after free"), ("rss_after_decay_bytes", "after decay")):
        kept = {(row["workload"], row["contender"]): float(row[key]) for row in report["memory"]}
        rows += _larger(kept, what, peers(report))
    return rows


def tail(row: Row, call: str, quantile: str) -> float:
    """The middle of the runs."""
    return float(statistics.median(row[call][quantile]))


def latency_losses(report: Row) -> list[Row]:
    """Where a tail of hakmem is longer than a peer's, in each of its runs than in any of the peer's.

    The median call is part of the time per operation, and the longest one a single event: both are left out.
    """
    rows = {(row["workload"], row["contender"]): row for row in report["latency"]}
    found = []
    for call in ("alloc", "free"):
        for quantile in ("p99_ns", "p999_ns"):
            tails = {key: tail(row, call, quantile) for key, row in rows.items()}
            for row in _larger(tails, f"{call} {quantile}", peers(report)):
                ours, theirs = (rows[row["workload"], name] for name in (contenders.HAKMEM, row["other"]))
                if min(ours[call][quantile]) > max(theirs[call][quantile]):
                    found.append(row)
    return sorted(found, key=_ratio, reverse=True)


def others(report: Row) -> list[Row]:
    """Comparisons that are of no switch and no peer: spacings and fallbacks."""
    found = [row for group in ("spacings", "experiments") for row in compared(report, group)]
    return found + [row for row in compared(report, contenders.COMPILED_IN) if row["one"] == contenders.HOT]


def code_bytes(report: Row, group: str, name: str) -> int:
    """Of a contender's instructions."""
    return next(int(row["code_bytes"]) for row in report["contenders"] if (row["group"], row["name"]) == (group, name))


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


def ladder(report: Row, group: str, workload: str) -> list[Row]:
    """The steps of the ladder on one workload: time, instructions and the ratio to the step before."""
    steps = []
    for number, step in enumerate(contenders.STEPS):
        time = find(report["times"], group=group, workload=workload, contender=step)
        if time is None:
            return []
        before = contenders.STEPS[number - 1] if number else None
        steps.append(
            {
                "step": step,
                "time": time,
                "counts": find(report["counts"], group=group, workload=workload, contender=step),
                "by_previous": before
                and find(report["comparisons"], group=group, workload=workload, one=step, other=before),
            }
        )
    return steps


def switch_rows(report: Row, group: str, workload: str) -> list[Row]:
    """Each switch: added to none, left out of all, and its main effect over all combinations."""
    rows = []
    for switch in SWITCHES:
        rest = "+".join(other for other in SWITCHES if other != switch)
        rows.append(
            {
                "switch": switch.upper(),
                "added": find(report["comparisons"], group=group, workload=workload, one=switch, other="none"),
                "left_out": find(
                    report["comparisons"], group=group, workload=workload, one=contenders.ALL, other=rest
                ),
                "effect": find(report["effects"], group=group, workload=workload, switches=[switch]),
            }
        )
    return rows


def fragmentation(samples: Sequence[Row]) -> float | None:
    """The largest share of resident bytes that is not live, over the samples in which anything is."""
    shares = [1 - sample["live_bytes"] / sample["rss_bytes"] for sample in samples if sample["live_bytes"]]
    return max(shares) if shares else None
