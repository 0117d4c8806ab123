# SPDX-License-Identifier: MIT
"""Statistics of processes in Prometheus' text format, version 0.0.4: one family a metric, whatever process its samples are of.

Names and help are those of hakmem/observe/fields.c, so that a process that serves its own statistics and the exporter that
serves all have the same. What a process says of itself goes into labels only, escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.cli.metric_fields import CLASS, POOL, PROCESS, THREAD
from tools.cli.untrusted import printable

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Labels = Mapping[str, object]


def _labelled(labels: Labels) -> str:
    """Without labels that are empty: to Prometheus they are labels that are not there."""
    shown = [f'{name}="{str(value).translate(_ESCAPES)}"' for name, value in labels.items() if value != ""]
    return "{" + ",".join(shown) + "}" if shown else ""


class Exposition:
    """Samples, gathered by their families: the format wants those of one together."""

    def __init__(self) -> None:
        self._families: dict[str, list[str]] = {}

    def add(self, metric: str, help_text: str, labels: Labels, value: float, is_counter: bool = False) -> None:
        family = self._families.get(metric)
        if family is None:
            kind = "counter" if is_counter else "gauge"
            family = self._families[metric] = [f"# HELP {metric} {help_text}.", f"# TYPE {metric} {kind}"]
        family.append(f"{metric}{_labelled(labels)} {value}")

    def text(self) -> str:
        return "".join(f"{line}\n" for family in self._families.values() for line in family)


_Fields = tuple[tuple[str, str, str, bool], ...]


def _add_fields(to: Exposition, fields: _Fields, found: dict[str, Any], labels: Labels) -> None:
    for name, metric, help_text, is_counter in fields:
        to.add(metric, help_text, labels, found[name], is_counter)


def add_process(to: Exposition, found: dict[str, Any], labels: Labels, with_threads: bool) -> None:
    """The statistics of one process, an object of hakmem/observe/stats.schema.json, under labels that tell it from others."""
    texts = {"version": "library", "config": "config", "spacing": "spacing"}
    build = {label: printable(found[field]) for label, field in texts.items()}
    to.add("hakmem_build_info", "What was built", {**labels, **build}, 1)
    exact, quiet = int(found["exact"]), int(found["quiet"])
    to.add("hakmem_exact", "Whether allocations are counted, and not estimated", labels, exact)
    to.add("hakmem_quiet", "Whether no thread moved while this was read", labels, quiet)
    _add_fields(to, PROCESS, found["process"], labels)
    for one in found["classes"]:
        own = {"pool": one["pool"], "class": one["class"], "block_bytes": one["block_size"]}
        _add_fields(to, CLASS, one, {**labels, **own})
    # Huge blocks have no class: 0, as in hak_owner_info.
    huge = {"pool": "huge", "class": 0, "block_bytes": 0}
    _add_fields(to, POOL[: len(CLASS)], found["pools"]["huge"], {**labels, **huge})
    for name, pool in found["pools"].items():
        _add_fields(to, POOL[len(CLASS) :], pool, {**labels, "pool": name})
    for one in found["threads"] if with_threads else ():
        own = {"thread": one["number"], "tid": one["tid"]}
        _add_fields(to, THREAD, one, {**labels, **own})
