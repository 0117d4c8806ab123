# SPDX-License-Identifier: MIT
"""A profile as pprof and google-pprof read it. hakmem/observe/pprof.c writes the same at exit."""

from __future__ import annotations

import gzip
import time
from dataclasses import replace

from tools.cli import paths, samples, symbols
from tools.cli.paths import Frame, Names
from tools.cli.samples import VALUES, Mapping, Record, Samples

# A value of the format: 64 bits with a sign.
_VALUE_MOST = 2**63 - 1

SWITCHED = "the profile was switched while the program ran: what was allocated while it was off is not in it"
"""hakmem/observe/pprof.c has the same."""

_UNITS = {"objects": "count", "space": "bytes"}


class _Encoder:
    """Makes one protocol buffer."""

    def __init__(self, found: Samples, names: Names | None) -> None:
        # Here: it takes longer than the start of a command that needs none.
        from tools.cli.profile_pb2 import Profile

        self.profile = Profile(string_table=[b""], time_nanos=time.time_ns(), period=found.rate)
        self._found = found
        self._names = names
        self._texts = {"": 0}
        self._locations: dict[int, int] = {}
        self._mappings: dict[Mapping, int] = {}
        self._functions: dict[tuple[str, str | None], int] = {}

    def _text(self, string: str) -> int:
        if string not in self._texts:
            self._texts[string] = len(self.profile.string_table)
            self.profile.string_table.append(string.encode("utf-8", "surrogateescape"))
        return self._texts[string]

    def head(self) -> None:
        profile = self.profile
        for name in VALUES:
            profile.sample_type.add(type=self._text(name), unit=self._text(_UNITS[name.partition("_")[2]]))
        profile.period_type.type, profile.period_type.unit = self._text("space"), self._text("bytes")
        profile.default_sample_type = self._text("inuse_space")
        if self._found.dropped:
            profile.comment.append(self._text("samples were lost for want of memory: estimates are too low"))
        if self._found.shortened:
            profile.comment.append(self._text("samples have a call but no callers: the table of callers is full"))
        if not self._found.switched.is_whole:
            profile.comment.append(self._text(SWITCHED))

    def mappings(self) -> None:
        """Those of code. By the build id whoever opens the profile elsewhere finds the same file, or its symbols."""
        root = paths.root_of(self._found.pid)
        for one in self._found.mappings:
            if one.executable:
                self._mappings[one] = len(self._mappings) + 1
                self.profile.mapping.add(
                    id=self._mappings[one],
                    memory_start=one.start,
                    memory_limit=one.end,
                    file_offset=one.offset,
                    filename=self._text(one.path),
                    build_id=self._text(symbols.build_id(root + one.path) if one.path.startswith("/") else ""),
                )

    def _location(self, address: int) -> int:
        if address not in self._locations:
            self._locations[address] = len(self._locations) + 1
            mapping = self._found.mapping(address)
            number = self._mappings.get(mapping, 0) if mapping else 0
            location = self.profile.location.add(id=self._locations[address], mapping_id=number, address=address)
            for frame in self._names.at(address) if self._names else ():
                if frame.symbol.function:
                    location.line.add(function_id=self._function(frame), line=frame.symbol.line or 0)
            if location.line and number:
                # pprof looks for no symbols of the file then.
                one = self.profile.mapping[number - 1]
                one.has_functions = one.has_filenames = one.has_line_numbers = one.has_inline_frames = True
        return self._locations[address]

    def _function(self, frame: Frame) -> int:
        name, file = frame.name, frame.symbol.file
        if (name, file) not in self._functions:
            self._functions[name, file] = len(self._functions) + 1
            text = self._text(name)
            self.profile.function.add(
                id=self._functions[name, file], name=text, system_name=text, filename=self._text(file or "")
            )
        return self._functions[name, file]

    def sample(self, record: Record) -> None:
        sample = self.profile.sample.add(
            location_id=[self._location(address) for address in record.path],
            value=[min(round(value(record)), _VALUE_MOST) for value in VALUES.values()],
        )
        sample.label.add(key=self._text("bytes"), num=min(record.size, _VALUE_MOST))
        if record.thread:
            sample.label.add(key=self._text("thread"), num=record.thread)


def encode(found: Samples, with_symbols: bool) -> bytes:
    """For pprof: the protocol buffer, compressed."""
    records = [record for record in found.records if record.allocations or record.live]
    names = Names(found, {address for record in records for address in record.path}) if with_symbols else None
    encoder = _Encoder(found, names)
    encoder.head()
    encoder.mappings()
    for record in records:
        encoder.sample(record)
    return gzip.compress(encoder.profile.SerializeToString())


def _counts(records: list[Record]) -> str:
    live = sum(one.live for one in records)
    live_bytes = sum(one.live * one.size for one in records)
    everything = sum(one.allocations for one in records)
    all_bytes = sum(one.allocations * one.size for one in records)
    return f"{live}: {live_bytes} [{everything}: {all_bytes}] @"


def _addresses(record: Record) -> str:
    """google-pprof takes all but the first for return addresses, and looks at the byte before."""
    return " ".join(f"{address:#x}" for address in (record.site, *(one + 1 for one in record.callers)))


def _at_rate(record: Record, rate: int) -> Record:
    """With the counts that stand for as many blocks at that rate."""
    ratio = record.scale / samples.scale(record.size, rate)
    if ratio == 1:
        return record
    return replace(record, allocations=round(record.allocations * ratio), live=round(record.live * ratio))


def encode_text(found: Samples) -> bytes:
    """For google-pprof: counts of samples, which it scales itself, all by one rate."""
    kind = "heapprofile" if found.rate == 1 else f"heap_v2/{found.rate}"
    records = [_at_rate(one, found.rate) for one in found.records]
    lines = [f"heap profile: {_counts(records)} {kind}"]
    lines += [f"{_counts([one])} {_addresses(one)}" for one in records if one.allocations]
    lines += ["", "MAPPED_LIBRARIES:"]
    lines += [
        f"{one.start:x}-{one.end:x} r-{'x' if one.executable else '-'}p {one.offset:08x} 00:00 0 {one.path}"
        for one in found.mappings
    ]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")
