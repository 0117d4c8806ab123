# SPDX-License-Identifier: MIT
"""hakmem profile: the profile of a running program, to a file."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from pathlib import Path

from tools.cli import samples, show
from tools.cli.command import REFUSED, TEXT_SUFFIX, Command, add_format, caller_path, process_id, statuses
from tools.cli.profile_pb2 import Profile
from tools.cli.samples import Mapping, Record, Samples

# A value of the format: 64 bits with a sign.
_VALUE_MOST = 2**63 - 1


def encode(found: Samples) -> bytes:
    """As pprof reads it, and as hakmem/observe/pprof.c writes it at exit."""
    profile = Profile(string_table=[""], time_nanos=time.time_ns(), period=found.rate)
    numbers = {"": 0}

    def text(string: str) -> int:
        if string not in numbers:
            numbers[string] = len(profile.string_table)
            profile.string_table.append(string)
        return numbers[string]

    for name, unit in (
        ("alloc_objects", "count"),
        ("alloc_space", "bytes"),
        ("inuse_objects", "count"),
        ("inuse_space", "bytes"),
    ):
        profile.sample_type.add(type=text(name), unit=text(unit))
    profile.period_type.type, profile.period_type.unit = text("space"), text("bytes")
    profile.default_sample_type = text("inuse_space")
    if found.dropped:
        profile.comment.append(text("samples were lost for want of memory: estimates are too low"))
    ids: dict[Mapping, int] = {}
    for one in found.mappings:
        if one.executable:
            ids[one] = len(ids) + 1
            profile.mapping.add(
                id=ids[one],
                memory_start=one.start,
                memory_limit=one.end,
                file_offset=one.offset,
                filename=text(one.path.encode("utf-8", "replace").decode()),
            )
    locations: dict[int, int] = {}
    for record in found.records:
        if record.site not in locations:
            locations[record.site] = len(locations) + 1
            mapping = found.mapping(record.site)
            profile.location.add(
                id=locations[record.site],
                mapping_id=ids.get(mapping, 0) if mapping else 0,
                address=record.site,
            )
        if record.allocations:
            values = [
                record.allocations * record.scale,
                record.allocations * record.size * record.scale,
                record.live * record.scale,
                record.live * record.size * record.scale,
            ]
            sample = profile.sample.add(
                location_id=[locations[record.site]], value=[min(round(one), _VALUE_MOST) for one in values]
            )
            sample.label.add(key=text("bytes"), num=min(record.size, _VALUE_MOST))
    return gzip.compress(profile.SerializeToString())


def _counts(records: list[Record]) -> str:
    live = sum(one.live for one in records)
    live_bytes = sum(one.live * one.size for one in records)
    everything = sum(one.allocations for one in records)
    all_bytes = sum(one.allocations * one.size for one in records)
    return f"{live}: {live_bytes} [{everything}: {all_bytes}] @"


def encode_text(found: Samples) -> bytes:
    """As google-pprof reads it: counts of samples, which it scales itself."""
    kind = "heapprofile" if found.rate == 1 else f"heap_v2/{found.rate}"
    lines = [f"heap profile: {_counts(found.records)} {kind}"]
    lines += [f"{_counts([one])} {one.site:#x}" for one in found.records if one.allocations]
    lines += ["", "MAPPED_LIBRARIES:"]
    lines += [
        f"{one.start:x}-{one.end:x} r-{'x' if one.executable else '-'}p {one.offset:08x} 00:00 0 {one.path}"
        for one in found.mappings
    ]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        type=caller_path,
        metavar="FILE",
        help=f"where to (default: hakmem.PID.pb.gz); text for google-pprof where it ends in {TEXT_SUFFIX}",
    )
    add_format(parser)
    parser.add_argument("pid", type=process_id, metavar="PID")


def _run(parsed: argparse.Namespace) -> int:
    found = samples.read(parsed.pid)
    output: Path = parsed.output or caller_path(f"hakmem.{parsed.pid}.pb.gz")
    output.write_bytes(encode_text(found) if output.suffix == TEXT_SUFFIX else encode(found))
    result = {
        "pid": parsed.pid,
        "file": str(output),
        "rate_bytes": found.rate,
        "samples": sum(one.allocations for one in found.records),
        "dropped": found.dropped,
        "live_bytes": round(sum(one.live * one.size * one.scale for one in found.records)),
        "allocated_bytes": round(sum(one.allocations * one.size * one.scale for one in found.records)),
    }
    if parsed.format == "json":
        print(json.dumps(result, indent=2))
    else:
        print(
            f"{output}: {show.counted(result['samples'], 'sample')}, {show.size(result['live_bytes'])} live of "
            f"{show.size(result['allocated_bytes'])} allocated, by estimate",
            file=sys.stdout,
        )
    return 0


COMMAND = Command(
    name="profile",
    summary="write the profile of a running program",
    description="Writes what a running program allocated so far, and what is live, by call site: for pprof, or for\n"
    f"google-pprof where FILE ends in {TEXT_SUFFIX}. The program was started with HAKMEM_PROFILE=FILE or\n"
    "HAKMEM_LEAKS=1, and is neither stopped nor asked.\n\n"
    + statuses(
        f"0; 1 where FILE cannot be written or something else failed; {REFUSED} where there is no such process, it is another "
        "user's, runs without hakmem or without a profile, or the arguments are wrong"
    ),
    configure=_configure,
    run=_run,
)
