# SPDX-License-Identifier: MIT
"""Allocators as LD_PRELOAD takes them, and the helpers that start and watch programs, open to every user."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.programs.workloads.errors import CheckError
from tools.measure.contender import Contender, GLIBC
from tools.measure.kernel_text import lines_of

# Folders of the system, open to every user; a library elsewhere is copied to where it is.
_PUBLIC = (Path("/usr"), Path("/lib"), Path("/lib64"))

# Bazel lays the helpers beside this file.
_BUILT = Path(__file__).parent


@dataclass(frozen=True)
class Tools:
    """The helpers' paths."""

    launcher: Path
    witness: Path
    jemalloc_calls: Path


def glibc() -> Contender:
    """The C library itself, preloaded like the others: a program that is linked with an allocator of its own, as
    Debian's redis is with jemalloc, is then answered by glibc all the same."""
    maps = lines_of("/proc/self/maps")
    paths = {line.split(maxsplit=5)[-1] for line in maps if line.endswith("/libc.so.6")}
    if len(paths) != 1:
        raise CheckError(f"which C library runs here is not clear: {sorted(paths)}")
    return Contender(GLIBC, library=Path(paths.pop()))


def publish(path: Path, folder: Path) -> Path:
    """A copy of the file in `folder` that every user may read and run."""
    copy = folder / path.name
    shutil.copyfile(path, copy)
    copy.chmod(0o755)
    return copy


def library(name: str, path: Path, folder: Path, version: str | None = None) -> Contender:
    """The allocator in the shared object `path`; `folder` takes a copy where other users might not reach it."""
    real = path.resolve()
    if not real.is_file():
        raise CheckError(f"the library {path} is missing")
    if not any(real.is_relative_to(public) for public in _PUBLIC):
        real = publish(path, folder)
    return Contender(name, library=real, version=version)


def tools(folder: Path) -> Tools:
    """launch.c, witness.c and jemalloc_calls.c as built, copied to `folder`."""
    built = ("launch", "libwitness.so", "libjemalloc_calls.so")
    return Tools(*(publish(_BUILT / name, folder) for name in built))


def public_folder(path: Path) -> Path:
    """Makes the folder `path`, which every user may read but only this one writes."""
    path.mkdir()
    os.chmod(path, 0o755)  # mkdir's mode is cut by the umask
    return path
