# SPDX-License-Identifier: MIT
"""What stands at an address of a program or library: function, file and line, and which functions were inlined there.

Addresses come as an offset behind the start of the file's first mapping, as hakmem's reports print them. addr2line of
binutils reads what the compiler left for debuggers; without that, the symbol is named that the address lies in.
"""

from __future__ import annotations

import bisect
import os
import re
import stat
import struct
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tools.measure.program import BenchError
from tools.cli.untrusted import printable

_PAGE = 4096
_UNKNOWN = "??"

# For what addr2line is given at most: the file may be made to keep it busy.
_LINES_SECONDS = 120

# Characters: names that templates make are long.
_NAME_MOST = 4000


# Functions at one address: of more the innermost are left out. A file may name any number.
_INLINED_MOST = 64

# STT_FUNC, STT_GNU_IFUNC
_CODE = (2, 10)

_ADDRESS = re.compile(r"0x[0-9a-f]{8,16}")


def read_elf(path: str, read: Callable[[Any], None]) -> None:
    """Calls `read` with the ELF file of that path, as elftools has it. Where it is none, or is made to mislead its reader, what
    was read so far is all."""
    # Here: it takes longer than the start of a command that reads none.
    from elftools.elf.elffile import ELFFile

    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                read(ELFFile(file))
    except Exception:  # of any kind
        return


@dataclass(frozen=True)
class Place:
    """An address within a file."""

    path: str
    """As the process that has it mapped knows it."""
    offset: int
    root: str = ""
    """Where that process's paths begin, if elsewhere than this one's."""

    @property
    def file(self) -> str:
        return self.root + self.path


@dataclass(frozen=True)
class Symbol:
    function: str | None
    file: str | None
    line: int | None


NOTHING = Symbol(None, None, None)


@dataclass(frozen=True)
class _Function:
    """A symbol, as the file has it."""

    start: int
    size: int
    name_at: int
    strings: bytes

    @property
    def name(self) -> str:
        return self.strings[self.name_at : self.strings.find(b"\0", self.name_at)].decode("utf-8", "replace")


def _functions(elf: Any, section: Any) -> Iterator[_Function]:
    """By the section's bytes: elftools' own symbols take twenty times as long, and large programs have a million."""
    order = "<" if elf.little_endian else ">"
    layout = struct.Struct(order + ("IBBHQQ" if elf.elfclass == 64 else "IIIBBH"))
    data, strings = section.data(), section.stringtable.data()
    for fields in layout.iter_unpack(data[: len(data) // layout.size * layout.size]):
        name_at, info, start, size = (fields[place] for place in ((0, 1, 4, 5) if elf.elfclass == 64 else (0, 3, 1, 2)))
        if info & 0xF in _CODE and start:
            yield _Function(start, size, name_at, strings)


class _Binary:
    """What an ELF file says of itself. One that is gone or is none says nothing."""

    def __init__(self, path: str) -> None:
        self.base = 0
        """Address that the first mapping has in the file's own terms: 0 but for programs of fixed address."""
        self._starts: list[int] = []
        self._functions: list[_Function] = []
        read_elf(path, self._read)

    def _read(self, elf: Any) -> None:
        from elftools.elf.sections import SymbolTableSection

        segments = [one["p_vaddr"] for one in elf.iter_segments() if one["p_type"] == "PT_LOAD"]
        self.base = min(segments, default=0) // _PAGE * _PAGE
        tables = [section for section in elf.iter_sections() if isinstance(section, SymbolTableSection)]
        functions = {one.start: one for section in tables for one in _functions(elf, section)}
        self._starts = sorted(functions)
        self._functions = [functions[start] for start in self._starts]

    def containing(self, address: int) -> str | None:
        """The function that the address lies in. One that does not say how long it is ends where the next begins."""
        position = bisect.bisect_right(self._starts, address) - 1
        if position < 0:
            return None
        found = self._functions[position]
        return found.name if found.size == 0 or address < found.start + found.size else None


@lru_cache(maxsize=None)
def _binary(path: str) -> _Binary:
    return _Binary(path)


def build_id(path: str) -> str:
    """The GNU build id of a file, in hexadecimal digits; "": it has none, or cannot be read."""
    found: list[str] = []

    def read(elf: Any) -> None:
        for segment in elf.iter_segments():
            if segment["p_type"] == "PT_NOTE":
                found.extend(note["n_desc"] for note in segment.iter_notes() if note["n_type"] == "NT_GNU_BUILD_ID")

    read_elf(path, read)
    return found[0] if found and re.fullmatch(r"[0-9a-f]{2,128}", found[0]) else ""


Answer = list[tuple[str, str]]
"""Of addr2line about one address: each function there and FILE:LINE, innermost first; question marks where it knows none."""

_NO_ANSWER: Answer = [(_UNKNOWN, f"{_UNKNOWN}:0")]


def parsed(text: str, count: int) -> list[Answer]:
    """Answers are parted by the addresses themselves, which are repeated."""
    answers: list[list[str]] = []
    # Names are the file's, and may have whatever else Python takes for the end of a line.
    for line in text.removesuffix("\n").split("\n"):
        if _ADDRESS.fullmatch(line):
            answers.append([])
        elif answers:
            answers[-1].append(line)
    if len(answers) != count or any(len(lines) % 2 or not lines for lines in answers):
        return [_NO_ANSWER] * count
    return [list(zip(lines[::2], lines[1::2]))[-_INLINED_MOST:] for lines in answers]


def _answers(path: str, addresses: list[int]) -> list[Answer]:
    """Of addr2line about each address."""
    unknown = [_NO_ANSWER] * len(addresses)
    if not Path(path).is_file():
        return unknown
    try:
        done = subprocess.run(
            ["addr2line", "--addresses", "--functions", "--inlines", "--demangle", f"--exe={path}"],
            input="".join(f"{address:#x}\n" for address in addresses).encode("ascii"),
            capture_output=True,
            check=False,
            timeout=_LINES_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return unknown
    except FileNotFoundError:
        raise BenchError("addr2line is missing, which finds functions and lines: install binutils") from None
    return parsed(done.stdout.decode("utf-8", "replace"), len(addresses))


def _symbol(name: str | None, position: str) -> Symbol:
    file, _, line = position.split(" (discriminator")[0].rpartition(":")
    known = file not in ("", _UNKNOWN) and re.fullmatch("[0-9]{1,9}", line) is not None and line != "0"
    return Symbol(
        function=printable(name, _NAME_MOST) if name else None,
        file=printable(file, _NAME_MOST) if known else None,
        line=int(line) if known else None,
    )


def _symbols(binary: _Binary, address: int, answer: Answer) -> tuple[Symbol, ...]:
    found = []
    for number, (function, position) in enumerate(answer):
        name = None if function == _UNKNOWN else function
        # Without a line the name is that of a symbol somewhere before the address, which may have ended before it.
        if number == len(answer) - 1 and position.startswith(_UNKNOWN):
            containing = binary.containing(address)
            name = None if containing is None else name or containing
        found.append(_symbol(name, position))
    return tuple(found)


def resolve_all(places: Iterable[Place]) -> dict[Place, tuple[Symbol, ...]]:
    """The functions at each place, at least one: those that were inlined there, innermost first, and the one that they
    were inlined in. One call of addr2line a file."""
    files: defaultdict[str, list[Place]] = defaultdict(list)
    for place in dict.fromkeys(places):
        files[place.file].append(place)
    result = {}
    for path, those in files.items():
        binary = _binary(path)
        addresses = [place.offset + binary.base for place in those]
        for place, address, answer in zip(those, addresses, _answers(path, addresses)):
            result[place] = _symbols(binary, address, answer)
    return result


def resolve(places: Iterable[Place]) -> dict[Place, Symbol]:
    """The innermost function at each place."""
    return {place: symbols[0] for place, symbols in resolve_all(places).items()}
