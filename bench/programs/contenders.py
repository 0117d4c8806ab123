# SPDX-License-Identifier: MIT
"""The allocators of a run: hakmem as built, and beside it its builds with a guard and its peers as Debian has them."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.driver.program import BenchError
from tests.preload.programs import allocator
from tests.preload.programs.allocator import Allocator
from tests.preload.programs.errors import CheckError
from tests.preload.programs.workload import Need

HAKMEM = "hakmem"

# Bazel lays the libraries at their place below the root of the runfiles.
_LIBRARIES = Path(__file__).parents[2] / "hakmem/preload"

_GUARDS = {"guard": "libhakmem-guard.so", "guard-full": "libhakmem-guard-full.so"}
GUARDS = tuple(_GUARDS)
"""hakmem's own builds with a guard, exact and full."""

_FOLDER = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}"
"""Libraries of this processor alone: Debian keeps those of others, 32-bit ones say, beside it."""

_PEERS = {
    "glibc": Need(f"{_FOLDER}/libc.so.6", "libc6"),
    "mimalloc": Need(f"{_FOLDER}/libmimalloc.so.2", "libmimalloc2.0"),
    "jemalloc": Need(f"{_FOLDER}/libjemalloc.so.2", "libjemalloc2"),
    "tcmalloc": Need(f"{_FOLDER}/libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
}
PEERS = tuple(_PEERS)
"""In the report's order."""

# Asked in a process of its own: a second allocator has no business in this one.
_ASK_VERSION = """
import ctypes, sys
version = ctypes.CDLL(sys.argv[1]).hak_version
version.restype = ctypes.c_char_p
print(version().decode())
"""


@dataclass(frozen=True)
class Contender:
    name: str
    version: str
    """hakmem's own, of all its builds; of a peer, its Debian package's."""
    allocator: Allocator


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise BenchError(f"{command[0]} failed: {said.strip()}") from error


def _hakmem(name: str, library: str, folder: Path) -> Contender:
    found = allocator.library(name, _LIBRARIES / library, folder)
    return Contender(name, _output(sys.executable, "-c", _ASK_VERSION, str(found.path)), found)


def _peer(name: str, folder: Path) -> Contender:
    if name in _GUARDS:
        return _hakmem(name, _GUARDS[name], folder)
    need = _PEERS[name]
    path = Path(need.find())
    found = allocator.glibc() if name == "glibc" else allocator.library(name, path, folder)
    return Contender(name, _output("dpkg-query", "-W", "-f", "${Version}", need.package), found)


def contenders(peers: Sequence[str], folder: Path) -> list[Contender]:
    """hakmem and then `peers`; `folder` takes a copy of what other users could not read."""
    try:
        return [_hakmem(HAKMEM, "libhakmem.so", folder), *(_peer(name, folder) for name in peers)]
    except CheckError as error:
        raise BenchError(str(error)) from error
