# SPDX-License-Identifier: MIT
"""What stands at an address of a program or library: function, file and line.

Addresses come as an offset behind the start of the file's first mapping, as hakmem's reports print them. addr2line of
binutils reads what the compiler left for debuggers; without that, the nearest symbol before the address is named.
"""

from __future__ import annotations

import bisect
import os
import stat
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from tools.measure.program import BenchError
from tools.cli.untrusted import printable

_PAGE = 4096
_UNKNOWN = "??"

# For what addr2line is given at most: the file may be made to keep it busy.
_LINES_SECONDS = 120

# Characters: names that templates make are long.
_NAME_MOST = 4000


@dataclass(frozen=True)
class Place:
    """An address within a file."""

    path: str
    offset: int


@dataclass(frozen=True)
class Symbol:
    function: str | None
    file: str | None
    line: int | None

    def __str__(self) -> str:
        where = f" at {self.file}:{self.line}" if self.file else ""
        return f"{self.function or _UNKNOWN}{where}"


class _Binary:
    """What an ELF file says of itself. One that is gone or is none says nothing."""

    def __init__(self, path: str) -> None:
        self.base = 0
        """Address that the first mapping has in the file's own terms: 0 but for programs of fixed address."""
        self._starts: list[int] = []
        self._names: list[tuple[int, str]] = []
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb") as file:
                if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    self._read(ELFFile(file))
        except Exception:  # of any kind: the file may be made to mislead its reader
            return

    def _read(self, elf: Any) -> None:
        segments = [one["p_vaddr"] for one in elf.iter_segments() if one["p_type"] == "PT_LOAD"]
        self.base = min(segments, default=0) // _PAGE * _PAGE
        symbols = {
            one["st_value"]: (one["st_size"], one.name)
            for section in elf.iter_sections()
            if isinstance(section, SymbolTableSection)
            for one in section.iter_symbols()
            if one["st_info"]["type"] in ("STT_FUNC", "STT_GNU_IFUNC") and one["st_value"]
        }
        self._starts = sorted(symbols)
        self._names = [symbols[start] for start in self._starts]

    def nearest(self, address: int) -> str | None:
        """The function that the address lies in."""
        position = bisect.bisect_right(self._starts, address) - 1
        if position < 0:
            return None
        size, name = self._names[position]
        return name if address < self._starts[position] + max(size, 1) else None


@lru_cache(maxsize=None)
def _binary(path: str) -> _Binary:
    return _Binary(path)


def _lines(path: str, addresses: list[int]) -> list[tuple[str, str]]:
    """Function and FILE:LINE of each address by addr2line; question marks where it knows nothing."""
    unknown = [(_UNKNOWN, f"{_UNKNOWN}:0")] * len(addresses)
    if not Path(path).is_file():
        return unknown
    try:
        done = subprocess.run(
            ["addr2line", "--functions", "--demangle", f"--exe={path}"],
            input="".join(f"{address:#x}\n" for address in addresses),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_LINES_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return unknown
    except FileNotFoundError:
        raise BenchError("addr2line is missing, which finds functions and lines: install binutils") from None
    lines = done.stdout.splitlines()
    return list(zip(lines[::2], lines[1::2])) if len(lines) == 2 * len(addresses) else unknown


def _symbol(binary: _Binary, address: int, function: str, position: str) -> Symbol:
    file, _, line = position.split(" (discriminator")[0].rpartition(":")
    known = file not in ("", _UNKNOWN) and line.isdigit() and line != "0"
    name = function if function != _UNKNOWN else binary.nearest(address)
    return Symbol(
        function=printable(name, _NAME_MOST) if name else None,
        file=printable(file, _NAME_MOST) if known else None,
        line=int(line) if known else None,
    )


def resolve(places: Iterable[Place]) -> dict[Place, Symbol]:
    """Each place's symbol, one call of addr2line a file."""
    files: defaultdict[str, list[Place]] = defaultdict(list)
    for place in dict.fromkeys(places):
        files[place.path].append(place)
    result = {}
    for path, those in files.items():
        binary = _binary(path)
        addresses = [place.offset + binary.base for place in those]
        for place, address, found in zip(those, addresses, _lines(path, addresses)):
            result[place] = _symbol(binary, address, *found)
    return result
