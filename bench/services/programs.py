# SPDX-License-Identifier: MIT
"""Services without a client: four shapes of load, and two languages with a cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.programs.workloads.session import Session
from bench.programs.workloads.workload import Need
from bench.services.service import Alone, built

_SCRIPTS = Path(__file__).with_name("scripts")
_ENTRIES = 12_000
_THREADS_OF_CACHES = 8


class Shape(Alone):
    """A shape of shapes.c."""

    needs: Sequence[Need] = ()
    programs = frozenset({"shapes"})
    mib: int

    def command(self, session: Session) -> list[str]:
        milliseconds = [str(max(1, round(seconds * 1000))) for seconds in (self.times.work, self.times.idle)]
        # The folder of the build may be closed to other users; a service runs as this one.
        return [str(built("shapes").resolve()), self.name, *milliseconds, str(self.mib)]


class Spike(Shape):
    name = "spike"
    mib = 1024
    task = f"a light load; in the middle four threads fill {mib:,} MiB together in blocks of 64 bytes to 64 KiB and free all"


class Drift(Shape):
    name = "drift"
    mib = 128
    task = (
        f"{mib} MiB of blocks, random ones replaced while their mean size goes from 64 bytes to 4 KiB and back; "
        "in the end three of four are freed"
    )


class Churn(Shape):
    name = "churn"
    mib = 256
    task = (
        f"{mib} MiB of blocks of about 1 KiB, random ones replaced; then all but one in a hundred are freed. Three times, with "
        "pauses between them"
    )


class Pool(Shape):
    name = "pool"
    mib = 32
    task = f"64 threads that each fill and free {mib * 1024 // 64} KiB of blocks now and then, and then wait"


class Cache(Alone):
    """A script of scripts/."""

    interpreter: str
    script: str

    def command(self, session: Session) -> list[str]:
        script = str((_SCRIPTS / self.script).resolve())
        return [self.interpreter, script, str(self.times.work), str(self.times.idle), str(_ENTRIES)]


_TASK = (
    f"{_THREADS_OF_CACHES} threads put JSON documents into a cache of {_ENTRIES:,} in place of others; in the end one in "
    "20 stays"
)


class Ruby(Cache):
    name = "ruby"
    task = f"Ruby: {_TASK}"
    interpreter, script = "/usr/bin/ruby", "cache.rb"
    needs = (Need(interpreter, "ruby"),)
    programs = frozenset({"ruby*"})


class Python(Cache):
    name = "python"
    task = f"Python, with its own allocator for objects up to 512 bytes: {_TASK}"
    interpreter, script = "/usr/bin/python3", "cache.py"
    needs = (Need(interpreter, "python3"),)
    programs = frozenset({"python3*"})
