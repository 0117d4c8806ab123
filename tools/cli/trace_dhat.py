# SPDX-License-Identifier: MIT
"""A trace as DHAT writes its own: opens in dh_view.html, which comes with valgrind.

dh_view.js says what it reads (version 2 of the format): it refuses a file that lacks a field, and one that has the same frames
twice. A frame is a text here, so paths that read alike are added up.
"""

from __future__ import annotations

import json

from tools.cli.paths import Frame
from tools.cli.trace_paths import Counts, Paths

_VERSION = 2
_ROOT = "[root]"

# Blocks that live for fewer events are marked as short-lived.
_SHORT_EVENTS = 100


def _text(frame: Frame) -> str:
    return f"{frame.name} ({frame.where})" if frame.symbol.function else frame.name


def _point(counts: Counts, frames: tuple[int, ...]) -> dict[str, object]:
    return {
        "tb": counts.bytes,
        "tbk": counts.blocks,
        "tl": counts.lifetimes + counts.left_lifetimes,
        "mb": counts.most_bytes,
        "mbk": counts.most_blocks,
        "gb": counts.peak_bytes,
        "gbk": counts.peak_blocks,
        "eb": counts.left_bytes,
        "ebk": counts.left_blocks,
        "fs": frames,
    }


def encode(paths: Paths) -> str:
    """The file's text."""
    texts = {_ROOT: 0}
    sums: dict[tuple[int, ...], Counts] = {}
    for path in paths.all():
        key = tuple(texts.setdefault(_text(frame), len(texts)) for frame in path.frames)
        sums[key] = sums[key] + path.counts if key in sums else path.counts
    result = {
        "dhatFileVersion": _VERSION,
        "mode": "heap",
        "verb": "Allocated",
        "bklt": True,
        "bkacc": False,
        "tu": "events",
        "Mtu": "Mevents",
        "tuth": _SHORT_EVENTS,
        "cmd": paths.program,
        "pid": paths.pid,
        "tg": paths.peak_event,
        "te": paths.events,
        "pps": [_point(counts, key) for key, counts in sums.items()],
        "ftbl": list(texts),
    }
    return json.dumps(result, separators=(",", ":")) + "\n"
