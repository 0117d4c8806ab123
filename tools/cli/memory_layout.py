# SPDX-License-Identifier: MIT
"""Where hakmem's data lie in the memory of a process: what hakmem/observe/layout.h has there, checked.

The memory may be anybody's, and may be damaged: each number is held against what it can be, and the fields of each struct
against each other, before anything is read by them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tools.cli.command import InputError

MAGIC = b"hakmem layout 2\0"
ADDRESSES = ("regions", "records", "huge", "live_groups", "classes")
NUMBERS = (
    "guard region_bytes chunk_bytes region_chunks header_bytes next span_first chunk_class hidden descriptors "
    "descriptor_bytes free_bits remote_bits bitmap_words owner control inline_free inline_remote inline_words class_count "
    "class_bytes block_size blocks class_words magazine chunks older tops tid number loaded returned thread_class_bytes "
    "unused loaded_unused stashed stashes stash_bytes parked sample_bytes slots entry_bytes entry_start entry_size "
    "table_capacity live_places live_group"
).split()
"""The order is that of hakmem/observe/layout.c."""
FORM = struct.Struct(f"={len(MAGIC)}s{len(ADDRESSES) + len(NUMBERS)}Q")

REGION_BYTES = 1 << 25
_KNOWN = {"region_bytes": REGION_BYTES, "chunk_bytes": 1 << 16, "region_chunks": 512}
"""Of every build."""

_LIMITS = {
    "guard": (0, 2),
    "hidden": (1, 0xFF),
    "class_count": (2, 256),
    "bitmap_words": (1, 1024),
    "inline_words": (1, 1024),
    "slots": (1, 1 << 16),
    "table_capacity": (8, 1 << 16),
    "live_places": (1, 1 << 16),
    "live_group": (1, 1 << 20),
    **{
        f"{of}_bytes": (1, REGION_BYTES - 1)
        for of in ("header", "descriptor", "class", "thread_class", "stash", "sample", "entry")
    },
}
"""The least and the most. Offsets have theirs from the structs that they are in."""


class Unreadable(InputError):
    """The process's memory cannot be looked at, or is not what hakmem writes."""


def _damaged(text: str) -> Unreadable:
    return Unreadable(f"hakmem's layout in memory is damaged: {text}")


@dataclass(frozen=True)
class _Fields:
    """A struct, so far as it is read."""

    name: str
    begin: int
    end: int
    sizes: dict[str, int]
    """Of each field, by the name of its offset."""

    def check(self, offsets: dict[str, int]) -> None:
        """Each lies within the struct, and none within another."""
        end = self.begin
        for name in sorted(self.sizes, key=lambda one: offsets[one]):
            if offsets[name] < end or offsets[name] + self.sizes[name] > self.end:
                raise _damaged(f"{name} is at byte {offsets[name]:#x} of {self.name}")
            end = offsets[name] + self.sizes[name]


def _structs(of: dict[str, int]) -> tuple[_Fields, ...]:
    chunks, classes = of["region_chunks"], of["class_count"]
    bits, inline = chunks * 8 * of["bitmap_words"], 8 * of["inline_words"]
    region = {
        "next": 8,
        "span_first": 2 * chunks,
        "chunk_class": chunks,
        "descriptors": chunks * of["descriptor_bytes"],
    }
    region |= {"free_bits": bits, "remote_bits": bits}
    thread = {"older": 8, "tops": 4, "tid": 4, "number": 4, "loaded": 8, "returned": 8}
    thread |= {"stashes": classes * of["stash_bytes"], "parked": (classes - 1) * of["sample_bytes"] + 8}
    return (
        _Fields("a region", 0, of["header_bytes"], region),
        _Fields(
            "a slab",
            0,
            of["descriptor_bytes"],
            {"owner": 4, "control": 8, "inline_free": inline, "inline_remote": inline},
        ),
        _Fields(
            "a class",
            0,
            of["class_bytes"],
            {"block_size": 4, "blocks": 4, "class_words": 2, "magazine": 2, "chunks": 2},
        ),
        _Fields("a thread", classes * of["thread_class_bytes"], REGION_BYTES, thread),
        _Fields("a thread's class", 0, of["thread_class_bytes"], {"unused": 1, "loaded_unused": 1, "stashed": 1}),
        _Fields("a huge block", 0, of["entry_bytes"], {"entry_start": 8, "entry_size": 8}),
    )


class Layout:
    """Where what is."""

    def __init__(self, values: tuple[int, ...]) -> None:
        self.at = dict(zip(ADDRESSES, values))
        self.of = dict(zip(NUMBERS, values[len(ADDRESSES) :]))
        if any(self.of[name] != value for name, value in _KNOWN.items()):
            raise Unreadable("hakmem's data in memory are of another version than this command")
        for name, (least, most) in _LIMITS.items():
            if not least <= self.of[name] <= most:
                raise _damaged(f"{name} is {self.of[name]:#x}")
        for one in _structs(self.of):
            one.check(self.of)


def find(text: bytes) -> Layout | None:
    """In the pages of a file. Unreadable where it is damaged, or of another version."""
    place = text.find(MAGIC)
    while place >= 0:
        if place % 8 == 0 and place + FORM.size <= len(text):
            return Layout(FORM.unpack_from(text, place)[1:])
        place = text.find(MAGIC, place + 1)
    return None
