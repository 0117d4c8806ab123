# SPDX-License-Identifier: MIT
"""How much is live, of a path, a size or a thread, what was asked for of it, and how much of that is lost: estimates."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from tools.cli import show
from tools.cli.samples import Record, Samples


@dataclass(frozen=True)
class Known:
    """What is known besides of live blocks."""

    asked: bool = False
    """The bytes that were asked for."""
    lost: bool = False

    @property
    def head(self) -> list[str]:
        """Of a table's columns."""
        asked = ["asked for"] if self.asked else []
        lost = ["lost", "through others", "lost bytes"] if self.lost else []
        return ["blocks", "bytes", *asked, *lost]


def known_of(found: Samples, lost: bool) -> Known:
    """`lost`: whether that was looked for."""
    return Known(bool(found.records) and all(one.asked is not None for one in found.records if one.live), lost)


@dataclass
class Live:
    bytes: float = 0
    blocks: float = 0
    asked: float = 0
    """Bytes asked for; where a block's is not known, all of it."""
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

    def as_json(self, known: Known) -> dict[str, Any]:
        return {
            "bytes": round(self.bytes),
            "asked": round(self.asked) if known.asked else None,
            "blocks": round(self.blocks),
            **({"lost": self.lost_as_json()} if known.lost else {}),
        }

    def cells(self, known: Known) -> list[str]:
        """Of a table's row, below known.head."""
        found = [show.number(self.blocks), show.size(self.bytes)]
        if known.asked:
            found.append(show.size(self.asked))
        if known.lost:
            found += [
                show.number(self.lost_directly),
                show.number(self.lost_through_others),
                show.size(self.lost_bytes),
            ]
        return found


def live_of(record: Record) -> Live:
    directly, through_others = (count * record.scale for count in record.lost)
    live = record.live * record.scale
    asked = record.size if record.asked is None else record.asked
    return Live(
        live * record.size, live, live * asked, (directly + through_others) * record.size, directly, through_others
    )
