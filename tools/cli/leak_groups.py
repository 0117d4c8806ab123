# SPDX-License-Identifier: MIT
"""hakmem leaks --by: the live blocks by size or by thread, with the call that made most of each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tools.measure.table import Grid
from tools.cli import show
from tools.cli.groups import Groups, Key
from tools.cli.live import Known, Live, live_of
from tools.cli.paths import Frame, Names
from tools.cli.samples import Samples


@dataclass
class Group:
    key: Key
    name: str
    live: Live = field(default_factory=Live)
    calls: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    """Live bytes by the call that made them."""
    most: Frame | None = None
    """Of these, the one with most."""

    @property
    def call(self) -> int:
        return max(self.calls, key=lambda one: (self.calls[one], -one))

    def as_json(self, by: str, known: Known) -> dict[str, Any]:
        assert self.most is not None
        return {
            ("block_size" if by == "class" else "thread"): self.key or None,
            "name": self.name,
            **self.live.as_json(known),
            "most_by": {"bytes": round(self.calls[self.call]), **self.most.as_json()},
        }


def gather(found: Samples, groups: Groups) -> list[Group]:
    """Most lost bytes first, then most bytes; without what did not grow."""
    by_key: dict[Key, Group] = {}
    for record in found.records:
        if record.live:
            key = groups.key(record)
            group = by_key.setdefault(key, Group(key, groups.name(key)))
            live = live_of(record)
            group.live.add(live)
            group.calls[record.site] += live.bytes
    some = [one for one in by_key.values() if one.live.bytes > 0]
    names = Names(found, {one.call for one in some})
    for one in some:
        one.most = names.at(one.call)[0]
    return sorted(some, key=lambda one: (-one.live.lost_bytes, -one.live.bytes, one.key))


def grid(groups: list[Group], by: str, title: str, known: Known) -> Grid:
    head = [by, "most by", *known.head]
    rows = []
    for one in groups:
        assert one.most is not None
        rows.append([one.name, show.function(one.most.name), *one.live.cells(known)])
    return Grid(title, head, rows, words=2)
