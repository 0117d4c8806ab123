# SPDX-License-Identifier: MIT
"""How much is live, of a path, a size or a thread, and how much of that is lost: estimates."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tools.cli import show
from tools.cli.samples import Record


@dataclass
class Live:
    bytes: float = 0
    blocks: float = 0
    # Of these, where it was asked for:
    lost_bytes: float = 0
    lost_directly: float = 0
    lost_through_others: float = 0

    def add(self, other: Live) -> None:
        for one in fields(Live):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def lost_as_json(self) -> dict[str, int]:
        return {
            "bytes": round(self.lost_bytes),
            "directly": round(self.lost_directly),
            "through_others": round(self.lost_through_others),
        }

    def lost_cells(self, knows_lost: bool) -> list[str]:
        """Of a table's row; none where it was not asked for."""
        if not knows_lost:
            return []
        return [show.number(self.lost_directly), show.number(self.lost_through_others), show.size(self.lost_bytes)]


def live_of(record: Record) -> Live:
    directly, through_others = (count * record.scale for count in record.lost)
    live = record.live * record.scale
    return Live(live * record.size, live, (directly + through_others) * record.size, directly, through_others)
