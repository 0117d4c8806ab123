# SPDX-License-Identifier: MIT
"""The mappings of a process, as /proc/PID/smaps has them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+ *(.*)")


@dataclass(frozen=True)
class Mapping:
    start: int
    end: int
    protection: str
    name: str
    resident_bytes: int
    flags: frozenset[str]
    """Of the kernel: "ac" accountable, "dd" not in core dumps, "nh" no huge pages ..."""

    @property
    def size(self) -> int:
        return self.end - self.start


def parse(text: str) -> list[Mapping]:
    mappings = []
    head: re.Match[str] | None = None
    resident = 0
    for line in text.splitlines():
        if match := _HEAD.fullmatch(line):
            head, resident = match, 0
        elif head is not None and line.startswith("Rss:"):
            resident = int(line.split()[1]) * 1024
        elif head is not None and line.startswith("VmFlags:"):
            start, end, protection, name = head.groups()
            mappings.append(
                Mapping(int(start, 16), int(end, 16), protection, name, resident, frozenset(line.split()[1:]))
            )
    return mappings
