# SPDX-License-Identifier: MIT
"""Paths of calls as a reader knows them: functions and lines in place of a profile's addresses."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools.cli import symbols
from tools.cli.samples import End, Mapping, Samples
from tools.cli.symbols import NOTHING, Place, Symbol
from tools.cli.untrusted import printable

# hakmem/sample/record.h: when the table is nearly full, all further calls count as one.
_REST = 0


# Of headers and sources that come with compilers: what programs inline of these are containers and allocators. Debian's
# Rust was built below /usr/src, and the other crates of Rust's library below vendor or deps.
_LIBRARY_FILE = re.compile(
    r"/usr/(local/)?include/c\+\+/|.*/include/c\+\+/|" r"/rustc/|/rust/deps/|/usr/src/rustc-[^/]+/|.*/rustlib/src/"
)


@dataclass(frozen=True)
class Frame:
    """One function of a path. Those that were inlined at one address share it."""

    address: int
    place: Place | None
    """None: the address is of no file."""
    symbol: Symbol

    @property
    def name(self) -> str:
        """The function; what is known instead, where that is not."""
        return self.symbol.function or self._location()

    @property
    def module(self) -> str:
        """The file's name, without its folder."""
        return printable(Path(self.place.path).name) if self.place else ""

    def _location(self) -> str:
        if self.place:
            return f"{self.module}+{self.place.offset:#x}"
        return f"{self.address:#x}" if self.address != _REST else "(further calls)"

    @property
    def is_library(self) -> bool:
        """Whether its source is the compiler's own."""
        return self.symbol.file is not None and _LIBRARY_FILE.match(self.symbol.file) is not None

    @property
    def where(self) -> str:
        """The line, else the place in the file."""
        return f"{Path(self.symbol.file).name}:{self.symbol.line}" if self.symbol.file else self._location()

    def as_json(self) -> dict[str, object]:
        return {
            "address": self.address,
            "module": self.place.path if self.place else None,
            "offset": self.place.offset if self.place else None,
            "function": self.symbol.function,
            "file": self.symbol.file,
            "line": self.symbol.line,
        }


FURTHER = {
    End.WHOLE: (),
    End.CUT: (Frame(0, None, Symbol("(further callers)", None, None)),),
    End.OPEN: (Frame(0, None, Symbol("(callers that are not known)", None, None)),),
}
"""What stands in a path in the place of callers that it does not have."""


def root_of(pid: int) -> str:
    """Where the paths begin that a process has its files by: in a container they lead elsewhere than this one's. What of it
    cannot be read has no names; files of the same path here would give wrong ones."""
    if pid == 0:
        return ""  # of no process: a profile that was saved has its files here
    root = f"/proc/{pid}/root"
    try:
        same_names = os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
        return "" if same_names and os.path.samefile(root, "/proc/self/root") else root
    except OSError:
        return root  # it has ended, or may not be looked at


def place_of(mapping: Mapping | None, address: int, root: str) -> Place | None:
    """Where an address that is mapped so stands in a file; None: in none."""
    return Place(mapping.path, address - mapping.base, root) if mapping and mapping.path.startswith("/") else None


def say_what_has_no_names(found: Samples, command: str) -> None:
    """On standard error: the files with code of a profile's paths that cannot be read, since they are gone or another's."""
    root = root_of(found.pid)
    mappings = {found.mapping(address) for record in found.records for address in record.path}
    files = {one.path for one in mappings if one is not None and one.path.startswith("/")}
    for path in sorted(files):
        if not os.access(root + path, os.R_OK):
            where = printable(root + path)
            print(
                f"hakmem {command}: no names of functions of {printable(Path(path).name)}: {where} cannot be read",
                file=sys.stderr,
            )


class Names:
    """The functions at a profile's addresses."""

    def __init__(self, found: Samples, addresses: Iterable[int]) -> None:
        root = root_of(found.pid)
        places = {address: place_of(found.mapping(address), address, root) for address in addresses}
        asked = (place for address, place in places.items() if place and address not in found.known)
        known = symbols.resolve_all(asked)
        self._frames = {
            address: tuple(
                Frame(address, place, symbol)
                for symbol in found.known.get(address) or (known[place] if place else (NOTHING,))
            )
            for address, place in places.items()
        }

    def at(self, address: int) -> tuple[Frame, ...]:
        """Innermost first, at least one."""
        return self._frames[address]

    def path(self, addresses: Iterable[int], end: End = End.WHOLE) -> tuple[Frame, ...]:
        """With a last one in the place of callers that were not kept, if there are any."""
        found = tuple(frame for address in addresses for frame in self._frames[address])
        return (*found, *FURTHER[end])
