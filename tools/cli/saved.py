# SPDX-License-Identifier: MIT
"""A profile that was written for pprof, by the library at exit, by `hakmem profile` or by another allocator: read again, for
views. The file may be anybody's: what is no profile of a heap is refused."""

from __future__ import annotations

import gzip
import warnings
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tools.cli import symbols
from tools.cli.command import InputError
from tools.cli.pprof import SWITCHED
from tools.cli.samples import VALUES, Mapping, Record, Samples, Switched
from tools.cli.symbols import NOTHING, Symbol
from tools.cli.untrusted import printable

if TYPE_CHECKING:
    from tools.cli.profile_pb2 import Profile, Sample

# Of what is in the compressed file.
_BYTES_MOST = 256 * 1024 * 1024

_OBJECTS = ("alloc_objects", "inuse_objects")
_SPACES = ("alloc_space", "inuse_space")

_NAME_MOST = 4000

# How profiles as text begin.
_TEXT = b"heap profile: "


class _Malformed(Exception):
    """No profile of a heap; the text says why."""


def _parsed(path: Path) -> Profile:
    # Here: they take longer than the start of a command that reads no profile.
    from google.protobuf.message import DecodeError

    from tools.cli.profile_pb2 import Profile

    profile = Profile()
    try:
        with path.open("rb") as plain:
            if plain.read(len(_TEXT)) == _TEXT:
                raise _Malformed(
                    "it is a text for google-pprof; a profile that is written to FILE.pb.gz can be read here"
                )
        with gzip.open(path) as file:
            text = file.read(_BYTES_MOST + 1)
        if len(text) > _BYTES_MOST:
            raise _Malformed(f"it holds more than {_BYTES_MOST >> 20} MiB")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a group that ends without a beginning
            profile.ParseFromString(text)
    except (gzip.BadGzipFile, zlib.error, EOFError, DecodeError):
        raise _Malformed("it is not compressed by gzip, or holds something else") from None
    return profile


def _record(site: int, callers: tuple[int, ...], size: int, thread: int, values: dict[str, int]) -> Record:
    """`size`: of each block; 0: the sample does not say it."""
    if size:
        # The file's counts of blocks are rounded estimates: by them a block of 1 MiB that stands for 1.2 would be one.
        allocations, live = (values[name] / size for name in _SPACES)
    else:
        allocations, live = (values[name] for name in _OBJECTS)
        size = values["alloc_space"] // max(1, values["alloc_objects"])
    return Record(site, callers, size, allocations, live, 1.0, thread=thread)


def as_saved(found: Samples) -> Samples:
    """As it would be read from a file, of which the values are rounded: so that the same samples are equal."""
    records = []
    for one in found.records:
        values = {name: round(value(one)) for name, value in VALUES.items()}
        record = _record(one.site, one.callers, one.size, one.thread, values)
        records.append(replace(record, end=one.end))
    return replace(found, records=records)


class _Reader:
    """What the parts of one profile mean."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._texts: list[str] = [one.decode("utf-8", "surrogateescape") for one in profile.string_table]
        names = [self._text(one.type) for one in profile.sample_type]
        missing = [name for name in (*_OBJECTS, *_SPACES) if name not in names]
        if missing:
            raise _Malformed(f"it has no {missing[0]}")
        self._places = {name: names.index(name) for name in (*_OBJECTS, *_SPACES)}
        self._columns = len(names)
        # Of another allocator a place may have names and no address.
        self._addresses = {one.id: one.id if one.line and not one.address else one.address for one in profile.location}

    def _text(self, number: int) -> str:
        if not 0 <= number < len(self._texts):
            raise _Malformed(f"it names text {number} of {len(self._texts)}")
        return self._texts[number]

    def mappings(self) -> list[Mapping]:
        """Of files that are here as they were there: another build has other functions at the same places."""
        found = []
        for one in self._profile.mapping:
            path, build_id = self._text(one.filename), self._text(one.build_id)
            if build_id and path.startswith("/") and symbols.build_id(path) != build_id:
                path = ""
            # The code's offset in the file is that behind the first mapping, in what linkers make.
            base = one.memory_start - one.file_offset
            found.append(Mapping(one.memory_start, one.memory_limit, one.file_offset, True, path, base))
        return sorted(found, key=lambda one: one.start)

    def symbols(self) -> dict[int, tuple[Symbol, ...]]:
        """Those that the profile has itself."""
        functions = {one.id: one for one in self._profile.function}
        found = {}
        for location in self._profile.location:
            lines = [(functions.get(one.function_id), one.line) for one in location.line]
            if lines:
                found[self._addresses[location.id]] = tuple(
                    NOTHING if function is None else self._symbol(function.name, function.filename, line)
                    for function, line in lines
                )
        return found

    def _symbol(self, name: int, file: int, line: int) -> Symbol:
        shown = [printable(self._text(number), _NAME_MOST) or None for number in (name, file)]
        return Symbol(shown[0], shown[1], line if shown[1] else None)

    def is_switched(self) -> bool:
        return any(self._text(number) == SWITCHED for number in self._profile.comment)

    def _label(self, sample: Sample, key: str) -> int:
        """Its number; 0 where the sample has none."""
        numbers = (label.num for label in sample.label if self._text(label.key) == key and label.num > 0)
        return next(numbers, 0)

    def records(self) -> list[Record]:
        found = []
        for sample in self._profile.sample:
            if len(sample.value) != self._columns or not sample.location_id:
                raise _Malformed("a sample has no place, or other values than it says")
            values = {name: sample.value[place] for name, place in self._places.items()}
            try:
                site, *callers = (self._addresses[number] for number in sample.location_id)
            except KeyError as error:
                raise _Malformed(f"it names location {error}, which is not there") from None
            thread = self._label(sample, "thread")
            found.append(_record(site, tuple(callers), self._label(sample, "bytes"), thread, values))
        return found


def read(path: Path) -> Samples:
    """InputError where it is no profile of a heap."""
    try:
        profile = _parsed(path)
        reader = _Reader(profile)
        return Samples(
            0,
            max(1, profile.period),
            0,
            0,
            reader.records(),
            reader.mappings(),
            known=reader.symbols(),
            switched=Switched(is_whole=not reader.is_switched()),
        )
    except _Malformed as error:
        raise InputError(f"{path}: no profile of a heap for pprof: {error}") from None
