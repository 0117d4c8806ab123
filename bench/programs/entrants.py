# SPDX-License-Identifier: MIT
"""The contenders of a run: hakmem as built, and beside it its builds with a guard and its peers as Debian has them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.engine import worker
from bench.programs.workloads import allocator
from bench.programs.workloads.errors import CheckError
from tools.measure import peers
from tools.measure.contender import Contender
from tools.measure.program import BenchError

HAKMEM = "hakmem"

GUARD_FULL = "guard-full"
_GUARDS = {"guard": "libhakmem-guard.so", GUARD_FULL: "libhakmem-guard-full.so"}
GUARDS = tuple(_GUARDS)
"""hakmem's own builds with a guard, exact and full."""

PEERS = tuple(peers.PEERS)

# Asked in a process that it serves, as it will be: a library with many thread-local variables cannot be opened later.
_ASK_VERSION = """
import ctypes
version = ctypes.CDLL(None).hak_version
version.restype = ctypes.c_char_p
print(version().decode())
"""


def _version(library: Path) -> str:
    """What a build of hakmem says of itself."""
    command = [sys.executable, "-c", _ASK_VERSION]
    preloaded = os.environ | {"LD_PRELOAD": str(library)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=preloaded)
    if done.returncode != 0:
        raise BenchError(f"{library} does not tell its version: {done.stderr.strip()}")
    return done.stdout.strip()


def _hakmem(name: str, path: Path, folder: Path) -> Contender:
    return allocator.library(name, path, folder, version=_version(path))


def _peer(name: str, builds: Mapping[str, Path], folder: Path) -> Contender:
    if name in builds:
        return _hakmem(name, builds[name], folder)
    if name in _GUARDS:
        return _hakmem(name, worker.library(_GUARDS[name]), folder)
    return allocator.library(name, peers.library(name), folder, version=peers.version(name))


def contenders(chosen: Sequence[str], builds: Mapping[str, Path], folder: Path) -> list[Contender]:
    """hakmem and then the peers `chosen`, of which `builds` are hakmem's own; hakmem itself may be among those. `folder`
    takes a copy of what other users could not read."""
    try:
        first = _hakmem(HAKMEM, builds.get(HAKMEM) or worker.library("libhakmem.so"), folder)
        return [first, *(_peer(name, builds, folder) for name in chosen)]
    except CheckError as error:
        raise BenchError(str(error)) from error
