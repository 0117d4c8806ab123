# SPDX-License-Identifier: MIT
"""What a profile is divided by, beside the paths of calls: the size of a block, or the thread that allocated it."""

from __future__ import annotations

import argparse
from pathlib import Path

from tools.cli import published, shared
from tools.cli.paths import Frame
from tools.cli.samples import Record, Samples
from tools.cli.symbols import Symbol
from tools.cli.untrusted import printable

BY = ("class", "thread")

_CLASS_MOST = 1 << 20
"""Above, blocks are huge and of any size: hakmem/size_class/size_class.h."""

_NAME_MOST = 40

Key = int
"""Of a group: the size of its blocks, 0 for huge ones; or the number of its thread."""


def add(parser: argparse.ArgumentParser, what: str) -> None:
    """The option --by; `what` it does with a group."""
    parser.add_argument("--by", choices=BY, help=f"{what} each size class, or each thread that allocated")


def _thread_names(pid: int) -> dict[int, str]:
    """What threads call themselves, by hakmem's numbers, where the process publishes which they are."""
    names: dict[int, str] = {}
    try:
        if pid == 0 or shared.own_number(pid) != pid:
            return names  # of a file, or of a container, where threads have other numbers
        threads = published.read(pid, attempts=20)["threads"]
    except (published.Unreachable, OSError):
        return names
    for one in threads:
        try:
            comm = Path(f"/proc/{pid}/task/{one['tid']}/comm").read_bytes()
        except OSError:
            continue  # it has ended meanwhile
        names[one["number"]] = printable(comm.rstrip(b"\n").decode("utf-8", "replace"), _NAME_MOST)
    return names


class Groups:
    """The groups of a profile's records."""

    def __init__(self, found: Samples, by: str) -> None:
        self.by = by
        self._threads = _thread_names(found.pid) if by == "thread" else {}

    def key(self, record: Record) -> Key:
        if self.by == "thread":
            return record.thread
        return record.size if record.size <= _CLASS_MOST else 0

    def name(self, key: Key) -> str:
        if self.by == "class":
            return f"blocks of {key:,} B" if key else "huge blocks"
        if key == 0:
            return "other threads"
        return f"thread {key} ({self._threads[key]})" if key in self._threads else f"thread {key}"

    def frame(self, record: Record) -> Frame:
        """Stands for the group in a path, as its outermost caller."""
        return Frame(0, None, Symbol(self.name(self.key(record)), None, None))

    @property
    def caption(self) -> str:
        if self.by == "class":
            return " By the size of the class; blocks above 1 MiB are huge, and of any size."
        return (
            " By the thread that allocated, whoever frees. A number is another thread's after its end; other threads: "
            "those that came when there was no more room to tell them apart, and those without a number."
        )
