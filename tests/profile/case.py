# SPDX-License-Identifier: MIT
"""What the tests of this folder share: the program, its exact counts, files of pprof."""

from __future__ import annotations

import gzip
import math
import os
import shutil
import subprocess
import tempfile
import unittest
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.cli import samples, symbols
from tools.cli.profile_pb2 import Profile
from tools.cli.symbols import Place

LIBRARY = Path("hakmem/preload/libhakmem.so").absolute()
PROGRAM = Path("tests/profile/sites").resolve()  # as /proc names it
SECONDS = 600

# Reads profiles as text. jeprof was made of google-pprof, which Debian 14 has no more.
PPROF = shutil.which("google-pprof") or "jeprof"

# What is sampled depends on the clock here, so a false alarm must be rarer than any run: the unit test is seeded and strict.
DEVIATIONS = 6


@dataclass(frozen=True)
class Exact:
    """What a function of sites.c makes, and how much of it it leaves."""

    allocations: int
    live: int
    least_bytes: int


EXACT = {
    "make_small": Exact(20000, 5000, 64),
    "make_zeroed": Exact(2000, 1000, 5000),
    "make_large": Exact(300, 30, 100000),
    "make_huge": Exact(40, 5, 3 << 20),
    "make_larger": Exact(400, 100, 9000),
    "make_aligned": Exact(1000, 200, 2048),
}


@dataclass
class Sum:
    """Estimates of one function, and their variance by the model: a sample in so many blocks, independently."""

    allocations: float = 0
    bytes: float = 0
    live: float = 0
    live_bytes: float = 0
    size: int = 0


def environment(variables: Mapping[str, str] = {}) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LD_PRELOAD": str(LIBRARY), **variables}


def parse(path: Path) -> Profile:
    profile = Profile()
    profile.ParseFromString(gzip.decompress(path.read_bytes()))
    return profile


def texts(profile: Profile) -> list[str]:
    return [one.decode() for one in profile.string_table]


def by_function(profile: Profile) -> dict[str, Sum]:
    """The sums of a protocol buffer, by the function that calls malloc or the like. Its locations lead there through its own
    mappings."""
    mappings = {one.id: one for one in profile.mapping}
    firsts: dict[int, int] = {}
    for one in profile.mapping:
        # The code's offset in the file is that behind the first mapping, in what the linker makes.
        firsts[one.id] = one.memory_start - one.file_offset
    places = {}
    for location in profile.location:
        mapping = mappings.get(location.mapping_id)
        if mapping is not None:
            path = texts(profile)[mapping.filename]
            places[location.id] = Place(path, location.address - firsts[mapping.id])
    known = symbols.resolve(places.values())
    result: defaultdict[str, Sum] = defaultdict(Sum)
    for sample in profile.sample:
        location_id = sample.location_id[0]  # the call itself; its callers follow
        function = known[places[location_id]].function if location_id in places else None
        one = result[function or "?"]
        one.allocations += sample.value[0]
        one.bytes += sample.value[1]
        one.live += sample.value[2]
        one.live_bytes += sample.value[3]
        one.size = sample.label[0].num
    return result


def deviation(exact: int, size: int, rate: int) -> float:
    """Of the estimate of a number of blocks. Each is sampled with probability p and then counts 1/p."""
    return math.sqrt((samples.scale(size, rate) - 1) * exact)


class ProfileCase(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_program(self, *arguments: str, **variables: str) -> str:
        """Runs sites to its end; what it said on standard error."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            env=environment(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        self.assertEqual((done.returncode, done.stdout.startswith("ready") or not done.stdout), (0, True), done.stderr)
        return done.stderr

    def start_program(self, *arguments: str, **variables: str) -> tuple[subprocess.Popen[str], int]:
        """Starts it, and waits until it has made everything; the process that has."""
        process = subprocess.Popen(
            [PROGRAM, *arguments], env=environment(variables), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin is not None and process.stdout is not None
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        return process, int(process.stdout.readline().split()[1])

    def check_estimates(self, found: Mapping[str, Sum], rate: int) -> None:
        """Within some standard deviations; exact where every block is sampled."""
        for function, exact in EXACT.items():
            one = found[function]
            self.assertGreaterEqual(one.size, exact.least_bytes)
            for estimate, wanted in ((one.allocations, exact.allocations), (one.live, exact.live)):
                # Rounded by record, up and down.
                error = DEVIATIONS * deviation(wanted, one.size, rate) + 1
                self.assertLessEqual(abs(estimate - wanted), error, function)
            self.assertLessEqual(abs(one.bytes - one.allocations * one.size), one.size, function)
            self.assertLessEqual(abs(one.live_bytes - one.live * one.size), one.size, function)
