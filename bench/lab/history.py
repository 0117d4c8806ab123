# SPDX-License-Identifier: MIT
"""A file that grows by a line a report: what a page of the trend over commits is made from.

Its lines are JSON objects. Times are not comparable between days and machines, so a line has the subject's ratios to each
other library, and only for orientation nanoseconds; memory is in bytes.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from bench.lab import contenders, views
from tools.measure.program import BenchError
from tools.measure.table import figure

Row = dict[str, Any]

_KEYS = {"created", "commit", "mode", "machine", "baseline", "failures", "workloads"}


def line(report: Row) -> Row:
    """What is kept of a report."""
    most = views.peaks(report)
    found: Row = {}
    for workload, of in views.per_operation(report).items():
        found[workload] = {
            "ns": {name: figure(statistics.median(times)) for name, times in of.items()},
            "peak_bytes": {name: most[workload, name] for name in of if (workload, name) in most},
            "ratios": {},
        }
    for row in views.against_peers(report):
        found[row["workload"]]["ratios"][views.peer(report, row)] = [
            row["ratio"],
            row["low"],
            row["high"],
            row["verdict"],
        ]
    commit = report["commit"]
    return {
        "created": report["created"],
        "commit": commit and commit["id"][:12] + ("+" if commit["modified"] else ""),
        "mode": report["mode"],
        "machine": report["machine"]["cpu_model"],
        "baseline": report["baseline"],
        "failures": sorted({row["contender"] for row in report["failures"] if row["family"] == contenders.LIBRARIES}),
        "workloads": found,
    }


def add(path: Path, report: Row) -> None:
    """Adds the report's line at the end; what the file holds already has to be such lines. A part of a line, as a full disk
    leaves one, would be none: it is taken back."""
    if path.exists():
        load(path)
    text = (json.dumps(line(report), allow_nan=False, separators=(",", ":")) + "\n").encode("utf-8")
    with path.open("ab", buffering=0) as file:
        before = file.tell()
        try:
            while text:
                text = text[file.write(text) :]
        except OSError:
            file.truncate(before)
            raise


def load(path: Path) -> list[Row]:
    """The lines, in the file's order; a BenchError says which one is none."""
    found = []
    try:
        texts = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise BenchError(f"{path} cannot be read: {error}") from error
    for number, text in enumerate(texts, 1):
        try:
            row = json.loads(text)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not _KEYS.issubset(row):
            raise BenchError(f"{path}, line {number}, is none of the laboratory's: --history writes them")
        found.append(row)
    return found
